# What `cmake --install` puts where: the library with its headers and CMake package, a pkg-config file, the program,
# and the demo models in share/galago/models.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/galago)
install(TARGETS galago EXPORT galago
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/galago DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h")
install(EXPORT galago NAMESPACE galago:: FILE galagoTargets.cmake DESTINATION ${package_dir}
        COMPONENT development)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/galagoConfig.cmake.in ${PROJECT_BINARY_DIR}/galagoConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/galagoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/galagoConfig.cmake ${PROJECT_BINARY_DIR}/galagoConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT development)

# A static library does not bring what it needs: whoever links it has to.
if(BUILD_SHARED_LIBS)
  set(GALAGO_PC_LIBS "")
  set(GALAGO_PC_REQUIRES "Requires.private")
else()
  set(GALAGO_PC_LIBS " -lhwy -lgif -pthread")
  set(GALAGO_PC_REQUIRES "Requires")
endif()
file(RELATIVE_PATH GALAGO_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/galago.pc.in ${PROJECT_BINARY_DIR}/galago.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/galago.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(TARGET galago_cli)
  install(TARGETS galago_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(FILES ${PROJECT_BINARY_DIR}/galago.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
  set(completions ${PROJECT_BINARY_DIR}/completions)
  install(FILES ${completions}/galago.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME galago
          COMPONENT program)
  install(FILES ${completions}/galago.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _galago
          COMPONENT program)
  install(FILES ${completions}/galago.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
          COMPONENT program)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/demo ${PROJECT_SOURCE_DIR}/models/demo-page
        DESTINATION ${CMAKE_INSTALL_DATADIR}/galago/models COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
