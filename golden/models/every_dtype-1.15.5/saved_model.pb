Ğ1
¥}
.
Identity

input"T
output"T"	
Ttype

NoOp
C
Placeholder
output"dtype"
dtypetype"
shapeshape:"serve*1.15.52v1.15.4-39-g3db52be8ó
=
float16Placeholder*
_output_shapes
:*
dtype0
D
float16_backIdentityfloat16*
_output_shapes
:*
T0
=
float32Placeholder*
_output_shapes
:*
dtype0
D
float32_backIdentityfloat32*
_output_shapes
:*
T0
=
float64Placeholder*
dtype0*
_output_shapes
:
D
float64_backIdentityfloat64*
T0*
_output_shapes
:
>
bfloat16Placeholder*
_output_shapes
:*
dtype0
F
bfloat16_backIdentitybfloat16*
T0*
_output_shapes
:
?
	complex64Placeholder*
dtype0*
_output_shapes
:
H
complex64_backIdentity	complex64*
_output_shapes
:*
T0
@

complex128Placeholder*
_output_shapes
:*
dtype0
J
complex128_backIdentity
complex128*
_output_shapes
:*
T0
:
boolPlaceholder*
_output_shapes
:*
dtype0

>
	bool_backIdentitybool*
_output_shapes
:*
T0

<
stringPlaceholder*
_output_shapes
:*
dtype0
B
string_backIdentitystring*
T0*
_output_shapes
:
:
int8Placeholder*
dtype0*
_output_shapes
:
>
	int8_backIdentityint8*
_output_shapes
:*
T0
;
int16Placeholder*
_output_shapes
:*
dtype0
@

int16_backIdentityint16*
T0*
_output_shapes
:
;
int32Placeholder*
dtype0*
_output_shapes
:
@

int32_backIdentityint32*
_output_shapes
:*
T0
;
int64Placeholder*
_output_shapes
:*
dtype0	
@

int64_backIdentityint64*
T0	*
_output_shapes
:
;
uint8Placeholder*
_output_shapes
:*
dtype0
@

uint8_backIdentityuint8*
_output_shapes
:*
T0
<
uint16Placeholder*
_output_shapes
:*
dtype0
B
uint16_backIdentityuint16*
_output_shapes
:*
T0
<
uint32Placeholder*
_output_shapes
:*
dtype0
B
uint32_backIdentityuint32*
T0*
_output_shapes
:
<
uint64Placeholder*
_output_shapes
:*
dtype0
B
uint64_backIdentityuint64*
T0*
_output_shapes
:
;
qint8Placeholder*
dtype0*
_output_shapes
:
@

qint8_backIdentityqint8*
_output_shapes
:*
T0
<
qint16Placeholder*
dtype0*
_output_shapes
:
B
qint16_backIdentityqint16*
_output_shapes
:*
T0
<
qint32Placeholder*
dtype0*
_output_shapes
:
B
qint32_backIdentityqint32*
_output_shapes
:*
T0
<
quint8Placeholder*
dtype0*
_output_shapes
:
B
quint8_backIdentityquint8*
T0*
_output_shapes
:
=
quint16Placeholder*
_output_shapes
:*
dtype0
D
quint16_backIdentityquint16*
T0*
_output_shapes
:
U
sparse/shapePlaceholder*
shape:*
_output_shapes
:*
dtype0	
h
sparse/valuesPlaceholder*
dtype0*
shape:ÿÿÿÿÿÿÿÿÿ*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ
q
sparse/indicesPlaceholder*
shape:ÿÿÿÿÿÿÿÿÿ*'
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
dtype0	
V
IdentityIdentitysparse/indices*'
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
T0	
S

Identity_1Identitysparse/values*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
T0
I

Identity_2Identitysparse/shape*
_output_shapes
:*
T0	
h
ragged_valuesPlaceholder*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
shape:ÿÿÿÿÿÿÿÿÿ*
dtype0
h
ragged_splitsPlaceholder*
dtype0	*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ*
shape:ÿÿÿÿÿÿÿÿÿ
S

Identity_3Identityragged_values*
T0*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ
S

Identity_4Identityragged_splits*
T0	*#
_output_shapes
:ÿÿÿÿÿÿÿÿÿ

initNoOp"†*Y
qint32O

x
qint32:0
y
qint32_back:0tensorflow/serving/predict*S
int8K

x
int8:0
y
int8_back:0tensorflow/serving/predict*\
float16Q

x
	float16:0
y
float16_back:0tensorflow/serving/predict*Ğ
sparseÅ
X
xSÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ"3
sparse/values:0sparse/indices:0sparse/shape:0M
yHÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ"(
Identity_1:0
Identity:0Identity_2:0tensorflow/serving/predict*Y
uint32O

x
uint32:0
y
uint32_back:0tensorflow/serving/predict*\
quint16Q

x
	quint16:0
y
quint16_back:0tensorflow/serving/predict*V
uint8M

x
uint8:0
y
uint8_back:0tensorflow/serving/predict*S
boolK

x
bool:0

y
bool_back:0
tensorflow/serving/predict*Y
stringO

x
string:0
y
string_back:0tensorflow/serving/predict*V
int32M

x
int32:0
y
int32_back:0tensorflow/serving/predict*e

complex128W

x
complex128:0
y
complex128_back:0tensorflow/serving/predict*V
int16M

x
int16:0
y
int16_back:0tensorflow/serving/predict*\
float64Q

x
	float64:0
y
float64_back:0tensorflow/serving/predict*Y
uint16O

x
uint16:0
y
uint16_back:0tensorflow/serving/predict*Y
uint64O

x
uint64:0
y
uint64_back:0tensorflow/serving/predict*_
bfloat16S

x

bfloat16:0
y
bfloat16_back:0tensorflow/serving/predict*b
	complex64U

x
complex64:0
y
complex64_back:0tensorflow/serving/predict*V
qint8M

x
qint8:0
y
qint8_back:0tensorflow/serving/predict*V
int64M

x
int64:0	
y
int64_back:0	tensorflow/serving/predict*\
float32Q

x
	float32:0
y
float32_back:0tensorflow/serving/predict*Y
quint8O

x
quint8:0
y
quint8_back:0tensorflow/serving/predict*Ù
raggedÎ
™
x“*
F0¢-
úÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ
€
`
€	RaggedTensorSpec"
ragged_values:0ÿÿÿÿÿÿÿÿÿ"
ragged_splits:0	ÿÿÿÿÿÿÿÿÿ“
y*Š
F0¢-
úÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ
€
`
€	RaggedTensorSpec
Identity_3:0ÿÿÿÿÿÿÿÿÿ
Identity_4:0	ÿÿÿÿÿÿÿÿÿtensorflow/serving/predict*Y
qint16O

x
qint16:0
y
qint16_back:0tensorflow/serving/predict