# galago_module(NAME [UNHARDENED] [LINK targets...]): the static library galago_NAME from src/NAME, all its .cc files.
# Warnings: what both compilers have, then what each alone does well.
set(GALAGO_WARNINGS -Wall -Wextra -Wpedantic -Wextra-semi -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND GALAGO_WARNINGS -Wshadow=local -Wduplicated-cond -Wlogical-op -Wsuggest-override)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND GALAGO_WARNINGS -Wno-restrict)  # finds faults in std::string that are none
  endif()
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND GALAGO_WARNINGS -Wshadow -Wrange-loop-analysis -Wimplicit-fallthrough -Wcomma -Wnewline-eof)
endif()
if(GALAGO_WERROR)
  list(APPEND GALAGO_WARNINGS -Werror)
endif()
# Contraction would make scalar arithmetic differ between machines; kernels ask for fused multiply-add by name.
add_compile_options(-ffp-contract=off)
# Functions of the library call each other, not replacements that a program may bring: they may be inlined.
add_compile_options(-fno-semantic-interposition)
if(GALAGO_SANITIZE)
  add_compile_options(-fsanitize=${GALAGO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GALAGO_SANITIZE})
  add_compile_definitions(GALAGO_SANITIZED)  # for tests that measure memory or time
endif()
# What the public headers do not mark with GALAGO_API stays inside a shared library.
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# Hardening of library and program, where the compiler has it; docs/decisions/0017-hardening.md has what it costs.
include(CheckCXXCompilerFlag)
foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection)
  string(MAKE_C_IDENTIFIER "GALAGO_HAS${flag}" has)
  check_cxx_compiler_flag(${flag} ${has})
  if(${has})
    list(APPEND GALAGO_HARDENING ${flag})
  endif()
endforeach()
if(NOT GALAGO_SANITIZE)  # which look at the same calls themselves
  list(APPEND GALAGO_HARDENING $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=2>)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_link_options(-Wl,-z,relro -Wl,-z,now)
endif()
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
# Builds that are for tests alone check the standard library's preconditions, too.
if(GALAGO_SANITIZE)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
else()
  add_compile_definitions($<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
endif()

if(GALAGO_BUILD_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(WARNING "no fuzz targets: libFuzzer is a part of clang, and the compiler is ${CMAKE_CXX_COMPILER_ID} "
                  "(scripts/setup --checks, then cmake --preset sanitize)")
  set(GALAGO_BUILD_FUZZ OFF)
endif()
if(GALAGO_BUILD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # counts edges and compared numbers, for whoever links libFuzzer
endif()

function(galago_module name)
  cmake_parse_arguments(ARG "UNHARDENED" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_library(galago_${name} STATIC ${sources})
  target_include_directories(galago_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(galago_${name} PRIVATE ${GALAGO_WARNINGS})
  if(NOT ARG_UNHARDENED)
    target_compile_options(galago_${name} PRIVATE ${GALAGO_HARDENING})
  endif()
  foreach(library IN LISTS ARG_LINK)
    if(TARGET ${library})
      target_link_libraries(galago_${name} PUBLIC ${library})
    elseif(NOT library MATCHES "^galago_")
      message(FATAL_ERROR "module ${name}: no target ${library}")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY GALAGO_MODULES ${name})
endfunction()
