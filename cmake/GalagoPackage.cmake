# `cpack` in the build folder: galago_VERSION_ARCH.deb with the program, its manual and the demo model, and
# libgalago-dev_VERSION_ARCH.deb with the static library, the headers and what CMake and pkg-config look for.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME galago)
set(CPACK_PACKAGE_VENDOR galago)
set(CPACK_PACKAGE_CONTACT "the galago authors <galago@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Answers questions about pictures with small vision-language models")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME galago)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "ffmpeg, poppler-utils")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgalago-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
# A static library does not bring what it needs.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libhwy-dev, libjpeg-dev, libpng-dev, zlib1g-dev, libgif-dev, libwebp-dev, libtiff-dev, libheif-dev, libssl-dev")
include(CPack)
