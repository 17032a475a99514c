# An extension of CPython, built by setuptools or distutils, and used from threads and processes.
command -v python3 >/dev/null || { echo "there is no python3"; exit 77; }
header=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h
[ -e "$header" ] || { echo "there is no $header (python3-dev)"; exit 77; }
python3 -c 'import setuptools' 2>/dev/null || python3 -W ignore -c 'import distutils.core' 2>/dev/null ||
    { echo "there is neither setuptools nor distutils"; exit 77; }
cat > answer.c <<'END'
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "answer", 0, -1, methods};
PyMODINIT_FUNC PyInit_answer(void) { return PyModule_Create(&module); }
END
cat > setup.py <<'END'
try:
    from setuptools import setup, Extension
except ImportError:
    from distutils.core import setup, Extension
setup(name="answer", version="1", ext_modules=[Extension("answer", ["answer.c"])])
END
python3 -W ignore setup.py -q build_ext --inplace
cat > use.py <<'END'
import answer, asyncio, multiprocessing, socket, subprocess, tempfile, threading
assert answer.answer() == 42
def square(n): return n * n
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    async def main():
        process = await asyncio.create_subprocess_exec("true")
        assert await process.wait() == 0
    asyncio.run(main())
    a, b = socket.socketpair()
    a.send(b"x"); assert b.recv(1) == b"x"
    # What the kernel has no module for, programs must be able to go without.
    for family in (socket.AF_VSOCK, socket.AF_ALG):
        try:
            socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            assert error.errno == 97, error
END
python3 use.py
