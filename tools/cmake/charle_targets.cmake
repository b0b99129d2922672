# Components and tests. Targets carry their flags; nothing is global but what every object of a sanitizer build must share.

option(CHARLE_WERROR "Warnings are errors" OFF)
option(CHARLE_FUZZ "Build the libFuzzer targets (clang)" OFF)
option(CHARLE_COVERAGE "Count lines and branches with gcov" OFF)
set(CHARLE_SANITIZE "" CACHE STRING "Value of -fsanitize=, empty for none")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(charle_flags INTERFACE)
target_compile_features(charle_flags INTERFACE c_std_11)
target_compile_definitions(charle_flags INTERFACE _GNU_SOURCE)
target_compile_options(charle_flags INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wconversion -Wvla -Wformat=2 $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> -fvisibility=hidden -fno-omit-frame-pointer
  $<$<BOOL:${CHARLE_WERROR}>:-Werror>)
if(CHARLE_SANITIZE)
  add_compile_options(-fsanitize=${CHARLE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CHARLE_SANITIZE})
else()
  target_compile_options(charle_flags INTERFACE -fstack-protector-strong $<$<CONFIG:RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
  target_link_options(charle_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(CHARLE_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic) # threads count too
  add_link_options(--coverage -Wl,--wrap=_exit)
  target_sources(charle_flags INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/tools/cmake/coverage_exit.c>)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# charle_alias(charle_db) makes charle::db.
function(charle_alias name)
  if(name MATCHES "^charle_(.+)$")
    add_library(charle::${CMAKE_MATCH_1} ALIAS ${name})
    set_target_properties(${name} PROPERTIES EXPORT_NAME ${CMAKE_MATCH_1})
  endif()
endfunction()

# charle_component(NAME SOURCES a.c b.c DEPS other -lfoo): a static library whose headers are included from the root of
# its tree, as "db/query.h". charle_db is also called charle::db, here and for those who find_package(charle).
function(charle_component name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/core> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/client/include>)
  target_link_libraries(${name} PUBLIC ${A_DEPS} PRIVATE $<BUILD_INTERFACE:charle_flags>)
  charle_alias(${name})
endfunction()

# charle_program(NAME SOURCES … DEPS …): an executable in build/<preset>/bin.
function(charle_program name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_DEPS} charle_flags)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/core ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/client/include)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# charle_test(NAME SOURCES … DEPS … LABELS unit [TIMEOUT seconds] [ARGS …] [NEEDS program …]): a cmocka program run by ctest.
function(charle_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/core ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests
    ${CMAKE_SOURCE_DIR}/client/include)
  target_link_libraries(${name} PRIVATE ${A_DEPS} cmocka charle_flags)
  add_test(NAME ${name} COMMAND ${name} ${A_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
    ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/data/lsan.supp;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/data/tsan.supp")
endfunction()
