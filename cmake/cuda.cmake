# The CUDA backend. T5MPI_CUDA: auto (when everything it needs is found), on (or the configuration fails), off.
#
# t5_cuda_headers   where cuda_runtime_api.h, cublasLt.h and nccl.h are; also what the emulation of the tests
#                   (tests/cuda_on_cpu) compiles against, so it is there without a CUDA compiler, too
# T5_WITH_CUDA      whether the backend is built; cuda_backend.cmake makes the library t5_cuda of it, or of its absence
#
# The runtime is linked statically, and neither it nor anything here links libcuda: a program with CUDA starts
# on a machine without a driver, and cudaGetDeviceCount says there what is missing.
set(T5MPI_CUDA auto CACHE STRING "the CUDA backend: auto, on or off")
set_property(CACHE T5MPI_CUDA PROPERTY STRINGS auto on off)
string(TOLOWER "${T5MPI_CUDA}" t5_cuda_wanted)
if(NOT t5_cuda_wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "T5MPI_CUDA is \"${T5MPI_CUDA}\"; it can be auto, on or off")
endif()

# The backend's sources are no part of their folders' libraries: they are compiled here by the real compilers,
# and in tests/cuda_on_cpu a second time.
set(T5_CUDA_SOURCE "/(device_cuda|cuda_[a-z0-9_]+|no_cuda|nccl|no_nccl|reducer)[.]c$")

# The toolkit: where nvcc is, its usual place, Debian's and Ubuntu's (/usr), and pip's (nvidia/cu13 and so on).
find_program(T5_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH ENV CUDACXX PATHS /usr/local/cuda PATH_SUFFIXES bin)
file(GLOB t5_pip_places /usr/local/lib/python3*/*-packages/nvidia/* /usr/lib/python3*/*-packages/nvidia/*
     $ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia/* $ENV{HOME}/.local/lib/python3*/site-packages/nvidia/*)
set(t5_cuda_places $ENV{CUDA_HOME} $ENV{CUDA_PATH})
if(T5_NVCC)
  get_filename_component(real "${T5_NVCC}" REALPATH)
  get_filename_component(real "${real}" DIRECTORY)
  list(APPEND t5_cuda_places "${real}/..")
endif()
list(APPEND t5_cuda_places /usr/local/cuda ${t5_pip_places} /usr/lib/cuda)

# t5_cuda_find(VARIABLE header|library NAMES...)
function(t5_cuda_find variable kind)
  if(kind STREQUAL "header")
    find_path(${variable} NAMES ${ARGN} HINTS ${t5_cuda_places} PATH_SUFFIXES include)
  else()
    find_library(${variable} NAMES ${ARGN} HINTS ${t5_cuda_places}
                 PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu targets/x86_64-linux/lib)
  endif()
  mark_as_advanced(${variable})
endfunction()
t5_cuda_find(T5_CUDART_INCLUDE header cuda_runtime_api.h)
t5_cuda_find(T5_CUBLASLT_INCLUDE header cublasLt.h)
t5_cuda_find(T5_NCCL_INCLUDE header nccl.h)
# pip's packages have no names without a version.
t5_cuda_find(T5_CUBLASLT_LIBRARY library cublasLt libcublasLt.so.13 libcublasLt.so.12 libcublasLt.so.11)
t5_cuda_find(T5_NCCL_LIBRARY library nccl libnccl.so.2)

set(T5_CUDA_HEADERS FALSE)
if(T5_CUDART_INCLUDE AND T5_CUBLASLT_INCLUDE AND T5_NCCL_INCLUDE)
  set(T5_CUDA_HEADERS TRUE)
  add_library(t5_cuda_headers INTERFACE)
  target_include_directories(t5_cuda_headers SYSTEM INTERFACE ${T5_CUDART_INCLUDE} ${T5_CUBLASLT_INCLUDE}
                             ${T5_NCCL_INCLUDE})
endif()

set(missing)
foreach(part NVCC CUDART_INCLUDE CUBLASLT_INCLUDE CUBLASLT_LIBRARY NCCL_INCLUDE NCCL_LIBRARY)
  if(NOT T5_${part})
    string(TOLOWER "${part}" name)
    string(REPLACE "cudart_include" "cuda_runtime_api.h" name "${name}")
    string(REPLACE "cublaslt_include" "cublasLt.h" name "${name}")
    string(REPLACE "cublaslt_library" "libcublasLt" name "${name}")
    string(REPLACE "nccl_include" "nccl.h" name "${name}")
    string(REPLACE "nccl_library" "libnccl" name "${name}")
    list(APPEND missing ${name})
  endif()
endforeach()
list(JOIN missing ", " missing)

set(T5_WITH_CUDA FALSE)
if(t5_cuda_wanted STREQUAL "off")
  message(STATUS "CUDA: off")
elseif(missing)
  if(t5_cuda_wanted STREQUAL "on")
    message(FATAL_ERROR "T5MPI_CUDA=on, but these were not found: ${missing}")
  endif()
  message(STATUS "CUDA: off, not found: ${missing}")
elseif(T5MPI_SANITIZE AND t5_cuda_wanted STREQUAL "auto")
  # The address sanitizer and the CUDA driver want the same addresses; the emulated backend is checked instead.
  message(STATUS "CUDA: off, because of the sanitizers")
else()
  set(T5_WITH_CUDA TRUE)
endif()

if(T5_WITH_CUDA)
  # What this nvcc knows of the processors of the design (Turing to Hopper), and the newest one's PTX for later ones.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    execute_process(COMMAND ${T5_NVCC} --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
    foreach(arch 75 80 86 89 90)
      if(known MATCHES "compute_${arch}")
        list(APPEND architectures ${arch}-real)
        set(newest ${arch}-virtual)
      endif()
    endforeach()
    set(CMAKE_CUDA_ARCHITECTURES "${architectures};${newest}" CACHE STRING "GPU architectures")
  endif()
  set(CMAKE_CUDA_COMPILER ${T5_NVCC} CACHE FILEPATH "the CUDA compiler")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  set(CMAKE_CUDA_STANDARD 17)
  enable_language(CUDA)
  message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER_VERSION}, ${CMAKE_CUDA_ARCHITECTURES}")
endif()
