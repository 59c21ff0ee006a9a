# The emulation's own tests: kernels that are right, faults and planted bugs that must be reported.
set(sample_kernels sample/adamw.cu sample/attention.cu sample/builtins.cu sample/rmsnorm.cu sample/wmma.cu)

# sample_program(NAME VARIANT SOURCES...)
function(sample_program name variant)
  add_executable(${name} ${ARGN})
  emulated(${name} ${variant})
  target_link_libraries(${name} PRIVATE PkgConfig::CMOCKA m)
endfunction()

sample_program(cuda_on_cpu_kernels plain test_kernels.c ${sample_kernels})
foreach(order forward reverse 7)
  cuda_test(cuda_on_cpu.kernels.${order} "EMU_ORDER=${order}" cuda_on_cpu_kernels)
endforeach()
foreach(lazy 0 1)
  foreach(test runtime cublaslt)
    if(NOT TARGET cuda_on_cpu_${test})
      sample_program(cuda_on_cpu_${test} plain test_${test}.c sample/builtins.cu)
    endif()
    cuda_test(cuda_on_cpu.${test}.lazy${lazy} "EMU_LAZY=${lazy}" cuda_on_cpu_${test})
  endforeach()
endforeach()

add_library(cuda_on_cpu_nccl STATIC nccl.cpp)
target_link_libraries(cuda_on_cpu_nccl PUBLIC cuda_on_cpu_plain MPI::MPI_C)
sample_program(cuda_on_cpu_test_nccl plain test_nccl.c)
target_link_libraries(cuda_on_cpu_test_nccl PRIVATE cuda_on_cpu_nccl)
foreach(ranks 1 2 4)
  cuda_test(cuda_on_cpu.nccl.np${ranks} "" ${t5_mpirun} -np ${ranks} $<TARGET_FILE:cuda_on_cpu_test_nccl>)
  set_tests_properties(cuda_on_cpu.nccl.np${ranks} PROPERTIES PROCESSORS ${ranks})
  if(T5MPI_SANITIZE)
    set_property(TEST cuda_on_cpu.nccl.np${ranks} APPEND PROPERTY ENVIRONMENT ASAN_OPTIONS=fast_unwind_on_malloc=0)
  endif()
endforeach()

if(T5MPI_SANITIZE)
  return() # the rest brings its own sanitizers
endif()

# A right program must be silent under the sanitizers, or what they say of the wrong ones proves nothing.
foreach(variant asan tsan)
  add_library(sample_${variant} OBJECT ${sample_kernels})
  emulated(sample_${variant} ${variant})
  sample_program(cuda_on_cpu_kernels_${variant} ${variant} test_kernels.c $<TARGET_OBJECTS:sample_${variant}>)
  cuda_test(cuda_on_cpu.kernels.${variant} "" cuda_on_cpu_kernels_${variant})
endforeach()

foreach(variant plain asan)
  sample_program(cuda_on_cpu_faults_${variant} ${variant} sample/faults.c sample/faults.cu)
endforeach()
foreach(fault
    "divergent|plain|a thread returned while others wait for it"
    "two_barriers|plain|threads wait at different __syncthreads"
    "inactive_lane|plain|mask ffffffff.*has returned"
    "deadlock|plain|deadlock.*waits for its warp at .*faults.cu:"
    "source|plain|shuffle from lane 20 outside mask"
    "uninitialised|plain|__trap"
    "alignment|asan|misaligned address"
    "overrun|asan|AddressSanitizer.*touch"
    "host|asan|AddressSanitizer: use-after-poison"
    "after_free|asan|AddressSanitizer")
  string(REPLACE "|" ";" part "${fault}")
  list(GET part 0 name)
  list(GET part 1 variant)
  list(GET part 2 text)
  must_report(cuda_on_cpu.fault.${name} "${text}" "" cuda_on_cpu_faults_${variant} ${name})
endforeach()

# planted(FILE BUG VARIANT TEST TEXT): the kernels with one of them compiled with a bug.
function(planted file bug variant test text)
  set(name cuda_on_cpu_bug_${bug}_${file})
  # The other kernels are the right ones, and compiled already.
  add_executable(${name} test_kernels.c sample/${file}.cu)
  emulated(${name} ${variant})
  target_compile_definitions(${name} PRIVATE BUG_${bug} SAMPLE_ONLY="${test}")
  set(objects $<FILTER:$<TARGET_OBJECTS:sample_${variant}>,EXCLUDE,${file}[.]cu>)
  target_link_libraries(${name} PRIVATE PkgConfig::CMOCKA m)
  target_sources(${name} PRIVATE ${objects})
  string(TOLOWER ${bug} lower)
  must_report(cuda_on_cpu.bug.${file}_${lower} "${text}" "TSAN_OPTIONS=halt_on_error=1" ${name})
endfunction()
planted(rmsnorm BARRIER tsan norm "ThreadSanitizer: data race")
planted(rmsnorm ATOMIC tsan norm "ThreadSanitizer: data race")
planted(rmsnorm STATIC asan norm "runtime error: index|AddressSanitizer")
planted(attention BARRIER tsan attention "ThreadSanitizer: data race")
planted(attention WARP tsan attention "ThreadSanitizer: data race")
planted(attention DYNAMIC asan attention "AddressSanitizer")
planted(adamw TAIL asan adamw "AddressSanitizer: heap-buffer-overflow")
planted(adamw RACE tsan adamw "ThreadSanitizer: data race")
