/* NVIDIA's libraries that are not linked but opened when they are first called: cuBLASLt is half a
 * gigabyte, NCCL a fifth, and a program with CUDA in it is to start on a machine that has neither.
 * cublaslt.c and nccl.c define the functions that this project uses, under the libraries' own
 * names, and pass the calls on; so the callers, and the emulation of the tests, know nothing of it.
 */
#ifndef T5_CUDA_LIBRARIES_H
#define T5_CUDA_LIBRARIES_H

/* NULL, or what is missing: one sentence for the user, valid until the program ends. The functions
 * of a library that is missing return CUBLAS_STATUS_NOT_INITIALIZED or ncclSystemError. */
const char *t5_cublaslt_missing(void);
const char *t5_nccl_missing(void);

#endif
