# galago_xgrammar: xgrammar, the library that structured answers are made with, from its sources as
# tools/fetch_xgrammar.py brings them. GALAGO_GRAMMAR: AUTO takes it where it is there, ON wants it, OFF does without.
# Its own CMakeLists.txt is not used: that has Python bindings, -Werror and link-time optimisation.
set(GALAGO_GRAMMAR AUTO CACHE STRING "Structured answers by xgrammar: AUTO, ON or OFF")
set_property(CACHE GALAGO_GRAMMAR PROPERTY STRINGS AUTO ON OFF)
if(DEFINED ENV{XDG_CACHE_HOME})
  set(cache $ENV{XDG_CACHE_HOME})
else()
  set(cache $ENV{HOME}/.cache)
endif()
set(GALAGO_XGRAMMAR_DIR ${cache}/galago/xgrammar-0.2.9 CACHE PATH "The sources of xgrammar (tools/fetch_xgrammar.py)")

option(GALAGO_FETCH_GRAMMAR "Fetch the sources of xgrammar where they are missing" OFF)

if(NOT GALAGO_GRAMMAR)
  return()
endif()
if(GALAGO_FETCH_GRAMMAR AND NOT EXISTS ${GALAGO_XGRAMMAR_DIR}/include/xgrammar/xgrammar.h)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tools/fetch_xgrammar.py --to ${GALAGO_XGRAMMAR_DIR})
endif()
if(NOT EXISTS ${GALAGO_XGRAMMAR_DIR}/include/xgrammar/xgrammar.h)
  if(GALAGO_GRAMMAR STREQUAL "AUTO")
    message(STATUS "no structured answers but choices: no xgrammar in ${GALAGO_XGRAMMAR_DIR} (tools/fetch_xgrammar.py)")
    return()
  endif()
  message(FATAL_ERROR "no xgrammar in ${GALAGO_XGRAMMAR_DIR} (tools/fetch_xgrammar.py brings it)")
endif()

file(GLOB_RECURSE sources ${GALAGO_XGRAMMAR_DIR}/cpp/*.cc)
list(FILTER sources EXCLUDE REGEX "/cpp/tvm_ffi/")
add_library(galago_xgrammar STATIC ${sources})
set_target_properties(galago_xgrammar PROPERTIES CXX_STANDARD 17)
target_include_directories(galago_xgrammar SYSTEM PUBLIC
  ${GALAGO_XGRAMMAR_DIR}/include ${GALAGO_XGRAMMAR_DIR}/3rdparty/picojson ${GALAGO_XGRAMMAR_DIR}/3rdparty/dlpack/include)
# What it would print goes to src/structured/xgrammar_log.cc.
target_compile_definitions(galago_xgrammar PRIVATE XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0
                                                   XGRAMMAR_LOG_CUSTOMIZE=1)
target_compile_options(galago_xgrammar PRIVATE -w ${GALAGO_HARDENING})
