# The batch scripts in slurm/ on a Slurm of four nodes, and mpirun over several hosts, in namespaces of this machine
# (README.md). Not with the sanitizers: it is the scripts and the ways of starting that are tested here.
if(NOT T5MPI_SANITIZE)
  file(GLOB slurm_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.sh)
  foreach(source ${slurm_scripts})
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE "test_" "" short ${name})
    add_test(NAME slurm.${short}
             COMMAND env T5MPI=$<TARGET_FILE:t5mpi> T5MPI_SOURCE_DIR=${PROJECT_SOURCE_DIR}
                     T5MPI_SAME_RESULTS=$<TARGET_FILE:same_results> T5MPI_WORK=${CMAKE_CURRENT_BINARY_DIR}/slurm-${short}
                     sh ${CMAKE_CURRENT_LIST_DIR}/isolate.sh sh ${source})
    t5_test_properties(slurm.${short} slurm PROCESSORS 1) # mostly waits
  endforeach()
endif()
