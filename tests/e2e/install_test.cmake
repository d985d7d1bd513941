# Installs a build into an empty prefix, then configures, builds and runs tests/e2e/consumer against it.
# In: BUILD, SOURCE, WORK (folders), COMPILER. Fails on the first step that fails.
foreach(name IN ITEMS BUILD SOURCE WORK COMPILER)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "${name} is not set")
  endif()
endforeach()
set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
foreach(file IN ITEMS bin/galago share/man/man1/galago.1 include/galago/galago.h share/galago/models/demo/config.json
        share/bash-completion/completions/galago share/zsh/site-functions/_galago
        share/fish/vendor_completions.d/galago.fish share/doc/galago/README.md share/doc/galago/docs/cli.md)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "not installed: ${file}")
  endif()
endforeach()
file(GLOB_RECURSE package ${prefix}/*/galagoConfig.cmake ${prefix}/*/galago.pc)
list(LENGTH package count)
if(NOT count EQUAL 2)
  message(FATAL_ERROR "galagoConfig.cmake and galago.pc expected, found: ${package}")
endif()

run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE}/tests/e2e/consumer -B ${WORK}/build -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/hello ${SOURCE}/tests/data/models/smolvlm_tiles ${SOURCE}/tests/data/pictures/shapes_100x80.png "What is this?")
string(STRIP "${output}" output)
if(output STREQUAL "")
  message(FATAL_ERROR "hello said nothing")
endif()
# The same program by pkg-config.
find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
  list(FILTER package INCLUDE REGEX "galago\\.pc$")
  get_filename_component(folder ${package} DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} ${folder})
  run(${pkg_config} --cflags --libs galago)
  separate_arguments(flags UNIX_COMMAND "${output}")
  run(${COMPILER} ${SOURCE}/tests/e2e/consumer/hello.cc ${flags} -o ${WORK}/hello-pc)
  run(${WORK}/hello-pc ${SOURCE}/tests/data/models/smolvlm_tiles ${SOURCE}/tests/data/pictures/shapes_100x80.png "What is this?")
endif()
# The installed program finds the installed demo model by itself.
run(${prefix}/bin/galago run --image ${SOURCE}/tests/data/pictures/shapes_100x80.png -p "What is in the picture?" -n 8)
