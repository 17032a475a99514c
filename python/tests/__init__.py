"""The tests of the package. In the folder above: PYTHONPATH=src python3 -m tests"""
