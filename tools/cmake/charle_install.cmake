# cmake --install: what another project needs to build on CharleOS, and the programs.
#
#   bin/                  charle charled protoc-gen-charle
#   include/charle/       charle.h (libcharle), cli.h, server/app.h, and the headers that generated code and services include
#   include/charle/proto/ charle/options.proto and the platform's messages
#   lib/                  static libraries; lib/cmake/charle for find_package(charle); lib/pkgconfig
#
# Headers keep their in-tree names: "db/query.h" is include/charle/db/query.h, "charle/charle.h" is include/charle/charle.h. So both
# include/ and include/charle/ are on the include path, as the targets say by themselves.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(components charle_core charle_base charle_msg charle_db charle_db_sqlite charle_db_pg charle_call charle_rpc charle_rpc_nng
  charle_proto charle_sync charle_crud charle_client_core charle_client charle_server_start charle_server_parts charle_server_sync
  charle_server charle_cli)
target_include_directories(charle_base INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/charle>)
set_target_properties(charle_server PROPERTIES EXPORT_NAME server)
install(TARGETS ${components} protoc-gen-charle EXPORT charle
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS charle charled RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/charle)
install(EXPORT charle NAMESPACE charle:: DESTINATION ${config_dir} FILE charleTargets.cmake)

set(include_dir ${CMAKE_INSTALL_INCLUDEDIR}/charle)
foreach(folder base msg db db/sqlite db/pg call rpc)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/${folder}/*.h)
  list(FILTER headers EXCLUDE REGEX "(internal|_parts)\\.h$") # shared by the files of a folder, by nobody else
  install(FILES ${headers} DESTINATION ${include_dir}/${folder})
endforeach()
install(FILES client/include/charle/charle.h tools/charle/include/charle/cli.h DESTINATION ${include_dir})
install(FILES server/app.h DESTINATION ${include_dir}/server)
install(DIRECTORY ${CMAKE_BINARY_DIR}/gen/charle_proto/charle/ DESTINATION ${include_dir} FILES_MATCHING PATTERN *.h)
install(DIRECTORY proto/charle DESTINATION ${include_dir}/proto FILES_MATCHING PATTERN *.proto)

configure_package_config_file(tools/cmake/charleConfig.cmake.in ${CMAKE_BINARY_DIR}/charleConfig.cmake
  INSTALL_DESTINATION ${config_dir} PATH_VARS include_dir)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/charleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/charleConfig.cmake ${CMAKE_BINARY_DIR}/charleConfigVersion.cmake
  tools/cmake/charle_generate.cmake tools/cmake/embed_migrations.cmake DESTINATION ${config_dir})

# The prefix is found from where the file lies, so that cmake --install --prefix works.
file(RELATIVE_PATH CHARLE_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(tools/cmake/charle.pc.in ${CMAKE_BINARY_DIR}/charle.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/charle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
