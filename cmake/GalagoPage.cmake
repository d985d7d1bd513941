# galago_page(): adds the browser page to galago_server. In: src/server/page/assets and the sample picture that the page
# offers. Out: BUILD/page/asset_table.cc, which this file writes at build time as a script of its own (cmake -P).
if(CMAKE_SCRIPT_MODE_FILE)
  # In: OUTPUT, and ASSETS, a list of files. Entry tags are the beginning of SHA-256.
  set(type_html "text/html; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_svg image/svg+xml)
  set(type_png image/png)
  set(entries "")
  foreach(file IN LISTS ASSETS)
    get_filename_component(name ${file} NAME)
    string(REGEX REPLACE ".*\\." "" extension ${name})
    if(NOT DEFINED type_${extension})
      message(FATAL_ERROR "${file}: no content type is known for .${extension}")
    endif()
    set(path /page/${name})
    if(name STREQUAL "index.html")
      set(path /)
    endif()
    file(SIZE ${file} size)
    file(SHA256 ${file} tag)
    string(SUBSTRING ${tag} 0 16 tag)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
    string(APPEND entries "    {\"${path}\", \"${type_${extension}}\", \"\\\"${tag}\\\"\", {\"${bytes}\", ${size}}},\n")
  endforeach()
  file(WRITE ${OUTPUT} "// Made by cmake/GalagoPage.cmake.
#include \"server/page/asset_table.h\"

namespace galago::page {

std::span<const Asset> asset_table() {
  static constexpr Asset kAssets[] = {
${entries}  };
  return kAssets;
}

}  // namespace galago::page
")
  return()
endif()

set(GALAGO_PAGE_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(galago_page)
  file(GLOB assets CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/server/page/assets/*)
  list(APPEND assets ${PROJECT_SOURCE_DIR}/models/demo/pictures/shapes.png)
  set(table ${PROJECT_BINARY_DIR}/page/asset_table.cc)
  add_custom_command(OUTPUT ${table}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${table} "-DASSETS=${assets}" -P ${GALAGO_PAGE_SCRIPT}
    DEPENDS ${assets} ${GALAGO_PAGE_SCRIPT} VERBATIM COMMENT "The browser page")
  target_sources(galago_server PRIVATE ${table})
endfunction()
