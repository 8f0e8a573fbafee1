# TensorFlow's C API in /opt/tensorflow, and a python3 that calls it.
#
# The context has lib/: the libraries as the wheel keeps them. They want the C and C++ libraries of the
# base (glibc 2.27, GLIBCXX_3.4.22 and CXXABI_1.3.11 at most, up to TensorFlow 2.21) and nothing else.

ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# What a base lacks shows here, before some hundred megabytes are copied.
RUN python3 -I -c 'import ctypes; ctypes.CDLL("libstdc++.so.6"); ctypes.CDLL("libgcc_s.so.1")'

COPY lib/ /opt/tensorflow/

# A file whose mode changes is stored a second time; those that all may read stay as they are.
RUN find /opt/tensorflow ! -type l ! -perm -o=r -exec chmod a+rX {} +
