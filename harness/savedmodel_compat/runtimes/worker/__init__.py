"""The files that run *inside* a runtime: CPython 3.6 syntax, standard library, numpy and TensorFlow only.

The folder is started as it stands (``python -I worker native …``) and shares nothing with the controller but the
frames on its standard input and output.
"""
