# charle_generate(TARGET my_schema ROOT dir PROTOS a/b.proto … [SCHEMA name] [DEPS target …] [IMPORTS dir …])
#
# Runs protoc with protoc-gen-charle over the given files (paths below ROOT; imports are found there, in IMPORTS and in the
# platform's proto folder) and makes a static library of the generated C. SCHEMA is the name in (charle.schema): with it come the
# services bound to their handlers and the schema object, each in an object of its own, so that a program links the handlers
# only when it uses them. What comes out is described in tools/protoc-gen-charle/README.md.
function(charle_generate)
  cmake_parse_arguments(A "" "TARGET;ROOT;SCHEMA" "PROTOS;DEPS;IMPORTS" ${ARGN})
  if(A_UNPARSED_ARGUMENTS OR NOT A_TARGET OR NOT A_ROOT OR NOT A_PROTOS)
    message(FATAL_ERROR "charle_generate needs TARGET, ROOT and PROTOS; what is ${A_UNPARSED_ARGUMENTS}?")
  endif()
  get_filename_component(charle ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../.. ABSOLUTE)
  set(out ${CMAKE_BINARY_DIR}/gen/${A_TARGET})
  set(sources)
  set(headers)
  set(inputs)
  foreach(proto ${A_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    list(APPEND sources ${out}/${stem}.charle.c)
    list(APPEND headers ${out}/${stem}.charle.h ${out}/${stem}.columns.charle.h ${out}/${stem}.client.charle.h
      ${out}/${stem}.channel.charle.h)
    if(A_SCHEMA)
      list(APPEND sources ${out}/${stem}.handlers.charle.c)
      list(APPEND headers ${out}/${stem}.handlers.charle.h)
    endif()
    list(APPEND inputs ${A_ROOT}/${proto})
  endforeach()
  set(option target=${A_TARGET},root=${A_ROOT})
  if(A_SCHEMA)
    list(APPEND sources ${out}/${A_SCHEMA}.schema.charle.c ${out}/${A_SCHEMA}.tables.charle.c)
    list(APPEND headers ${out}/${A_SCHEMA}.schema.charle.h)
    string(APPEND option ",schema=${A_SCHEMA}")
  endif()
  set(import_flags)
  foreach(import ${A_IMPORTS} ${charle}/proto)
    if(NOT import STREQUAL A_ROOT)
      list(APPEND import_flags -I ${import})
    endif()
  endforeach()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND protoc -I ${A_ROOT} ${import_flags}
            --plugin=protoc-gen-charle=$<TARGET_FILE:protoc-gen-charle>
            --charle_out=${out} --charle_opt=${option} ${A_PROTOS}
    DEPENDS ${inputs} protoc-gen-charle ${charle}/proto/charle/options.proto
    COMMENT "Generating ${A_TARGET}"
    VERBATIM)
  add_library(${A_TARGET} STATIC ${sources} ${headers})
  target_include_directories(${A_TARGET} PUBLIC ${out} ${charle}/core ${charle})
  target_link_libraries(${A_TARGET} PUBLIC charle_db charle_call ${A_DEPS} PRIVATE charle_flags)
endfunction()
set(CHARLE_PROTO_DIR ${CMAKE_SOURCE_DIR}/proto)
