# cpu_kernels*.c are compiled once per instruction set; device_cpu.c picks one at start. A portable
# binary, and no -march=native.
