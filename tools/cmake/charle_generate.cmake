# Making C of schemas, in this tree and, after find_package(charle), in any other.
#
# Whoever includes this file says where the platform's own files are:
#   CHARLE_PROTO_DIR   the folder that holds charle/options.proto
#   CHARLE_CMAKE_DIR   the folder of this file

# charle_generate(TARGET my_schema ROOT dir PROTOS a/b.proto … [SCHEMA name] [DEPS target …] [IMPORTS dir …])
#
# Runs protoc with protoc-gen-charle over the given files (paths below ROOT; imports are found there, in IMPORTS and in the
# platform's proto folder) and makes a static library of the generated C. SCHEMA is the name in (charle.schema): with it come the
# services bound to their handlers and the schema object, each in an object of its own, so that a program links the handlers
# only when it uses them. What comes out is described in tools/protoc-gen-charle/README.md.
#
# The handlers that you write use the generated structs, and the generated tables name the handlers. So the library of your handlers
# and this one need each other; say so on both sides:
#   target_link_libraries(my_services PUBLIC my_schema)
#   target_link_libraries(my_schema INTERFACE my_services)
function(charle_generate)
  cmake_parse_arguments(A "" "TARGET;ROOT;SCHEMA" "PROTOS;DEPS;IMPORTS" ${ARGN})
  if(A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "charle_generate does not know: ${A_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT A_TARGET OR NOT A_ROOT OR NOT A_PROTOS)
    message(FATAL_ERROR "charle_generate needs TARGET, ROOT and PROTOS, for instance:\n"
      "  charle_generate(TARGET shop_schema ROOT \${CMAKE_CURRENT_SOURCE_DIR}/proto PROTOS shop.proto SCHEMA shop)")
  endif()
  get_filename_component(A_ROOT ${A_ROOT} ABSOLUTE)
  set(out ${CMAKE_BINARY_DIR}/gen/${A_TARGET})
  set(sources)
  set(headers)
  set(inputs)
  foreach(proto ${A_PROTOS})
    if(NOT EXISTS ${A_ROOT}/${proto})
      message(FATAL_ERROR "charle_generate: there is no ${A_ROOT}/${proto}; PROTOS are paths below ROOT")
    endif()
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
  foreach(import ${A_IMPORTS} ${CHARLE_PROTO_DIR})
    get_filename_component(import ${import} ABSOLUTE)
    if(NOT import STREQUAL A_ROOT)
      list(APPEND import_flags -I ${import})
    endif()
  endforeach()
  find_program(CHARLE_PROTOC protoc)
  if(NOT CHARLE_PROTOC)
    message(FATAL_ERROR "charle_generate needs protoc (Debian: apt-get install protobuf-compiler)")
  endif()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${sources} ${headers}
    COMMAND ${CHARLE_PROTOC} -I ${A_ROOT} ${import_flags}
            --plugin=protoc-gen-charle=$<TARGET_FILE:charle::protoc-gen-charle>
            --charle_out=${out} --charle_opt=${option} ${A_PROTOS}
    DEPENDS ${inputs} $<TARGET_FILE:charle::protoc-gen-charle> ${CHARLE_PROTO_DIR}/charle/options.proto
    COMMENT "Generating ${A_TARGET}"
    VERBATIM)
  add_library(${A_TARGET} STATIC ${sources} ${headers})
  target_include_directories(${A_TARGET} PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${A_TARGET} PUBLIC charle::core ${A_DEPS})
  if(TARGET charle::proto) # the platform's own messages, unless these are they
    target_link_libraries(${A_TARGET} PUBLIC charle::proto)
  endif()
  if(TARGET charle_flags)
    target_link_libraries(${A_TARGET} PRIVATE $<BUILD_INTERFACE:charle_flags>)
  endif()
endfunction()

# charle_migrations(TARGET my_migrations SYMBOL my_migrations FOLDER dir)
#
# The folder's NNNN_name.sql files as constants: a static library with `const struct ch_migration SYMBOL[]` and
# `const size_t SYMBOL_count`, for struct ch_server_app of server/app.h.
function(charle_migrations)
  cmake_parse_arguments(A "" "TARGET;SYMBOL;FOLDER" "" ${ARGN})
  if(A_UNPARSED_ARGUMENTS OR NOT A_TARGET OR NOT A_SYMBOL OR NOT A_FOLDER)
    message(FATAL_ERROR "charle_migrations needs TARGET, SYMBOL and FOLDER")
  endif()
  get_filename_component(A_FOLDER ${A_FOLDER} ABSOLUTE)
  file(GLOB files CONFIGURE_DEPENDS ${A_FOLDER}/*.sql)
  set(source ${CMAKE_BINARY_DIR}/gen/${A_SYMBOL}.c)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${A_FOLDER} -DOUTPUT=${source} -DSYMBOL=${A_SYMBOL} -P ${CHARLE_CMAKE_DIR}/embed_migrations.cmake
    DEPENDS ${files} ${CHARLE_CMAKE_DIR}/embed_migrations.cmake VERBATIM)
  add_library(${A_TARGET} STATIC ${source})
  target_link_libraries(${A_TARGET} PUBLIC charle::core)
  if(TARGET charle_flags)
    target_link_libraries(${A_TARGET} PRIVATE charle_flags)
  endif()
endfunction()
