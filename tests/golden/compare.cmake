# Makes the files of small.proto in OUT, twice, and compares them with the golden copies. Started by ctest with PLUGIN, PROTO_DIR, OUT,
# GOLDEN (this folder) and REFRESH, the command that makes the copies anew.
set(stale)
foreach(round 1 2)
  file(REMOVE_RECURSE ${OUT}/${round})
  file(MAKE_DIRECTORY ${OUT}/${round})
  execute_process(
    COMMAND protoc -I ${GOLDEN} -I ${PROTO_DIR} --plugin=protoc-gen-charle=${PLUGIN} --charle_out=${OUT}/${round}
            --charle_opt=schema=small,root=${GOLDEN} small.proto
    RESULT_VARIABLE result)
  if(result)
    message(FATAL_ERROR "protoc could not compile tests/golden/small.proto; what it says is above.")
  endif()
  file(GLOB made RELATIVE ${OUT}/${round} ${OUT}/${round}/*)
  file(GLOB kept RELATIVE ${GOLDEN}/small ${GOLDEN}/small/*.golden)
  list(TRANSFORM kept REPLACE "\\.golden$" "")
  list(APPEND made ${kept})
  list(REMOVE_DUPLICATES made)
  foreach(name ${made})
    execute_process(COMMAND diff -u ${GOLDEN}/small/${name}.golden ${OUT}/${round}/${name} RESULT_VARIABLE result)
    if(result)
      list(APPEND stale ${name})
    endif()
  endforeach()
endforeach()
if(stale)
  list(REMOVE_DUPLICATES stale)
  list(JOIN stale ", " stale)
  message(FATAL_ERROR "The golden copies differ from what the generator makes now: ${stale}\n"
    "If the difference above is meant, run: ${REFRESH}")
endif()
