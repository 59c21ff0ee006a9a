# Portable binaries without -march=native: the sources cpu_kernels*.c are compiled once per
# instruction set, every symbol with the set's name behind it (T5_ISA), and device_cpu.c picks one
# table of functions when it opens a device. The folder's own compilation is the baseline ("generic");
# here come the wider ones, on x86-64 only.
file(GLOB kernel_sources CONFIGURE_DEPENDS src/device/cpu_kernels*.c)

# NaN and infinity keep their meaning; traps and the sign of zero are not looked at.
set(kernel_options -O3 -fno-trapping-math -fno-signed-zeros
    $<$<C_COMPILER_ID:GNU>:-Wno-psabi> $<$<C_COMPILER_ID:Clang>:-Wno-pass-failed>)
set_source_files_properties(${kernel_sources} PROPERTIES COMPILE_OPTIONS "${kernel_options}")

function(t5_kernels isa)
  add_library(t5_kernels_${isa} OBJECT ${kernel_sources})
  target_include_directories(t5_kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(t5_kernels_${isa} PRIVATE T5_ISA=${isa})
  target_compile_options(t5_kernels_${isa} PRIVATE ${ARGN})
  target_link_libraries(t5_kernels_${isa} PRIVATE t5_options OpenMP::OpenMP_C)
  target_sources(t5_device PRIVATE $<TARGET_OBJECTS:t5_kernels_${isa}>)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  t5_kernels(avx2 -mavx2 -mfma)
  t5_kernels(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
             -mprefer-vector-width=512)
endif()
