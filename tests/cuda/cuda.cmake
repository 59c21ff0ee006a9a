# The real compilers and libraries. The build has compiled every kernel with nvcc for every GPU, warnings being errors;
# here are what the assembler said, and whether NVIDIA's libraries have what is called. Without nvcc these are skipped.
add_test(NAME cuda.spills_selftest COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/spills_selftest.sh)
t5_test_properties(cuda.spills_selftest cuda)
add_test(NAME cuda.resources_selftest COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/resources_selftest.sh)
t5_test_properties(cuda.resources_selftest cuda)
if(NOT T5_WITH_CUDA)
  add_test(NAME cuda.nvcc COMMAND sh -c "echo 'skipped: built without CUDA'; exit 77")
  t5_test_properties(cuda.nvcc cuda)
  return()
endif()
set(hot kernels_attention_backward kernels_attention_forward kernels_attention_mma_backward
    kernels_attention_mma_forward kernels_attention_rows kernels_loss kernels_norm_backward kernels_norm_forward
    kernels_optimizer)
add_test(NAME cuda.spills COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/spills.sh
         ${PROJECT_BINARY_DIR}/CMakeFiles/t5_cuda_kernels.dir ${hot})
t5_test_properties(cuda.spills cuda)
add_test(NAME cuda.resources COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/resources.sh
         ${PROJECT_BINARY_DIR}/CMakeFiles/t5_cuda_kernels.dir)
t5_test_properties(cuda.resources cuda)
t5_test_program(cuda_test_libraries ${CMAKE_CURRENT_LIST_DIR}/test_libraries.c t5_cuda)
add_test(NAME cuda.libraries COMMAND cuda_test_libraries)
t5_test_properties(cuda.libraries cuda)
