# run(COMMAND...): fails with what it said unless it ends with 0; its output, both streams, is ${output}.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\n${output}\nfailed with ${result}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
