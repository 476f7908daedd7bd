# rf_folder(<target> PATH <folder> SOURCES … [USES …] [HIDES …])
#   one library per folder. USES are the folders that its headers mention; HIDES those that only its
#   sources do, so that whoever uses this folder does not see them.
# rf_test(<name> SOURCES … USES …)
#   one cmocka program, run by ctest.
# rf_fuzz(<name> SOURCES … USES …)
#   one libFuzzer program, when RF_FUZZ is on; the target fuzz_programs builds them all and nothing else.

add_library(rf_flags INTERFACE)
target_compile_options(rf_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wwrite-strings -Wvla -Wundef
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -ffp-contract=off -fno-math-errno -fno-common -fvisibility=hidden)
target_compile_definitions(rf_flags INTERFACE _GNU_SOURCE RF_VERSION="${PROJECT_VERSION}")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(rf_flags INTERFACE -Wno-psabi)
endif()
# For finding bugs: assertions are on. A kernel's checks take a tenth of the time to compile at -O1, and again a tenth
# with line numbers alone: GCC follows variables through them for minutes.
if(RF_SANITIZE)
  target_compile_options(rf_flags INTERFACE
    -O1 -g1 -UNDEBUG -fsanitize=${RF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(rf_flags INTERFACE -fsanitize=${RF_SANITIZE})
endif()
if(RF_FUZZ)
  target_compile_options(rf_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(rf_folder target)
  cmake_parse_arguments(F "" "PATH" "SOURCES;USES;HIDES" ${ARGN})
  add_library(${target} STATIC ${F_SOURCES})
  get_filename_component(parent "${F_PATH}" DIRECTORY)
  set(export "${CMAKE_BINARY_DIR}/include/${target}")
  file(MAKE_DIRECTORY "${export}/${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${F_PATH}" "${export}/${F_PATH}" SYMBOLIC)
  target_include_directories(${target} PUBLIC "${export}")
  target_link_libraries(${target} PUBLIC ${F_USES} PRIVATE rf_flags ${F_HIDES})
endfunction()

function(rf_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_USES} rf_flags PkgConfig::CMOCKA m)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/include")
  target_compile_definitions(${name} PRIVATE RF_TEST_DATA="${CMAKE_SOURCE_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${CMAKE_BINARY_DIR}")
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
endfunction()

function(rf_fuzz name)
  if(NOT RF_FUZZ)
    return()
  endif()
  cmake_parse_arguments(T "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_USES} rf_flags m)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz_programs ${name})
endfunction()
