# Runs that are killed, disturbed and damaged (docs/reliability.md). same_results compares two runs; other tests use it, too.
add_library(t5_torture STATIC torture/compare.c)
target_link_libraries(t5_torture PUBLIC t5_io)
add_executable(same_results torture/same_results.c)
target_link_libraries(same_results PRIVATE t5_torture)
set_target_properties(same_results PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
t5_tests(torture t5_torture)
