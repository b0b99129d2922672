# charle_generate(TARGET my_schema ROOT dir PROTOS charleos/task.proto …)
#
# Runs protoc with protoc-gen-charle over the given files (paths below ROOT; imports are found there and in the platform's
# proto folder) and makes a static library of the generated C. What comes out is described in tools/protoc-gen-charle/README.md.
function(charle_generate)
  cmake_parse_arguments(A "" "TARGET;ROOT" "PROTOS;DEPS;IMPORTS" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/gen/${A_TARGET})
  set(sources)
  set(headers)
  set(inputs)
  foreach(proto ${A_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    list(APPEND sources ${out}/${stem}.charle.c)
    list(APPEND headers ${out}/${stem}.charle.h)
    list(APPEND inputs ${A_ROOT}/${proto})
  endforeach()
  set(import_flags)
  foreach(import ${A_IMPORTS} ${CHARLE_PROTO_DIR})
    list(APPEND import_flags -I ${import})
  endforeach()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND protoc -I ${A_ROOT} ${import_flags}
            --plugin=protoc-gen-charle=$<TARGET_FILE:protoc-gen-charle>
            --charle_out=${out} --charle_opt=target=${A_TARGET} ${A_PROTOS}
    DEPENDS ${inputs} protoc-gen-charle ${CHARLE_PROTO_DIR}/charle/options.proto
    COMMENT "Generating ${A_TARGET}"
    VERBATIM)
  add_library(${A_TARGET} STATIC ${sources})
  target_include_directories(${A_TARGET} PUBLIC ${out} ${CHARLE_INCLUDE_DIRS})
  target_link_libraries(${A_TARGET} PUBLIC charle_db charle_call ${A_DEPS} PRIVATE charle_flags)
endfunction()
set(CHARLE_PROTO_DIR ${CMAKE_SOURCE_DIR}/proto)
set(CHARLE_INCLUDE_DIRS ${CMAKE_SOURCE_DIR}/core ${CMAKE_SOURCE_DIR})
