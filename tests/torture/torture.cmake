# Runs that are killed, disturbed and damaged (docs/reliability.md). same_results compares two runs; other tests use it, too.
add_library(t5_torture STATIC torture/compare.c torture/moment.c torture/process.c torture/sweep.c)
target_link_libraries(t5_torture PUBLIC t5_io)
add_executable(same_results torture/same_results.c)
target_link_libraries(same_results PRIVATE t5_torture)
set_target_properties(same_results PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
t5_tests(torture t5_torture)

# torture_program(NAME ARGUMENT...): tests/torture/NAME.c, and the test torture.NAME with the arguments
function(torture_program name)
  add_executable(${name} torture/${name}.c)
  target_link_libraries(${name} PRIVATE t5_torture)
  target_compile_definitions(${name} PRIVATE T5MPI="$<TARGET_FILE:t5mpi>" T5MPI_MPIRUN="${t5_mpirun}"
                             T5MPI_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_dependencies(${name} t5mpi)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME torture.${name} COMMAND ${name} ${ARGN})
  t5_test_properties(torture.${name} torture PROCESSORS 2)
endfunction()
torture_program(torture 4)
torture_program(damage)
torture_program(full_disk 4)

# Calls that fail: not under the sanitizers, whose library must come first.
if(NOT T5MPI_SANITIZE)
  add_library(torture_interpose MODULE torture/interpose.c)
  target_link_libraries(torture_interpose PRIVATE t5_options PkgConfig::HDF5 ${CMAKE_DL_LIBS})
  torture_program(faults --every 211)
  target_compile_definitions(faults PRIVATE T5MPI_INTERPOSE="$<TARGET_FILE:torture_interpose>")
  add_dependencies(faults torture_interpose)
endif()
