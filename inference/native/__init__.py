"""The step of Grok-1 for CPUs in C++ (step.cpp), called through ctypes."""
