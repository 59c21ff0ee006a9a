# t5_cuda: t5_device_open_cuda and the sums of NCCL (mpi/nccl.h), by the CUDA backend (T5_WITH_CUDA) or by functions
# that say that there is none.
# It is not part of t5_device, so that tests can link the emulated backend (tests/cuda_on_cpu) in its place: every
# program that may open a CUDA device links one of them.
file(GLOB libraries CONFIGURE_DEPENDS src/cuda/*.c)
file(GLOB host CONFIGURE_DEPENDS src/device/*.c)
list(FILTER host INCLUDE REGEX ${T5_CUDA_SOURCE})
list(FILTER host EXCLUDE REGEX "/no_cuda[.]c$")
list(APPEND host mpi/nccl.c mpi/reducer.c)

if(NOT T5_WITH_CUDA)
  add_library(t5_cuda STATIC src/device/no_cuda.c mpi/no_nccl.c mpi/reducer.c)
  target_include_directories(t5_cuda PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(t5_cuda PUBLIC t5_device t5_mpi)
  if(T5_CUDA_HEADERS) # the C of it, for the warnings of a compiler that has no nvcc beside it
    add_library(t5_cuda_host OBJECT ${host} ${libraries})
    target_include_directories(t5_cuda_host PRIVATE src ${PROJECT_SOURCE_DIR})
    target_compile_definitions(t5_cuda_host PRIVATE T5_CUBLASLT_PATH="" T5_NCCL_PATH="")
    target_link_libraries(t5_cuda_host PRIVATE t5_options t5_cuda_headers MPI::MPI_C)
  endif()
  return()
endif()

# cuBLASLt and NCCL are opened at run time (src/cuda/README.md); here is where they were at build time.
add_library(t5_cuda_libraries STATIC ${libraries})
target_include_directories(t5_cuda_libraries PRIVATE src)
target_compile_definitions(t5_cuda_libraries PRIVATE T5_CUBLASLT_PATH="${T5_CUBLASLT_LIBRARY}"
                           T5_NCCL_PATH="${T5_NCCL_LIBRARY}")
target_link_libraries(t5_cuda_libraries PUBLIC t5_options t5_cuda_headers ${CMAKE_DL_LIBS})

file(GLOB kernels CONFIGURE_DEPENDS src/device/*.cu)
add_library(t5_cuda_kernels OBJECT ${kernels})
target_include_directories(t5_cuda_kernels PRIVATE src)
# Warnings of nvcc, of the host compiler it calls, and of the assembler. Its line tables cost nothing.
target_compile_options(t5_cuda_kernels PRIVATE $<$<BOOL:${T5MPI_WERROR}>:-Werror=all-warnings>
                       -Xcompiler=-Wall,-Wextra,-Wno-unused-parameter,-Wno-unknown-pragmas -lineinfo)
set_target_properties(t5_cuda_kernels PROPERTIES CUDA_COMPILER_LAUNCHER ${PROJECT_SOURCE_DIR}/cmake/nvcc_log.sh)

add_library(t5_cuda STATIC ${host} $<TARGET_OBJECTS:t5_cuda_kernels>)
find_package(Threads REQUIRED)
target_include_directories(t5_cuda PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(t5_cuda PUBLIC t5_device t5_mpi t5_cuda_headers t5_cuda_libraries stdc++
                      Threads::Threads ${CMAKE_DL_LIBS} rt)
