# How others use libparticle: headers, the library, a CMake package and a pkg-config file.

include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Particle")

install(TARGETS particle EXPORT ParticleTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/particle "${CMAKE_CURRENT_BINARY_DIR}/include/particle"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp")

install(EXPORT ParticleTargets NAMESPACE Particle:: DESTINATION "${package_dir}")
configure_package_config_file(ParticleConfig.cmake.in ParticleConfig.cmake
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(ParticleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES
    "${CMAKE_CURRENT_BINARY_DIR}/ParticleConfig.cmake"
    "${CMAKE_CURRENT_BINARY_DIR}/ParticleConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/ParticleDependencies.cmake"
  DESTINATION "${package_dir}")

# The .pc file names its prefix relative to itself, so a moved installation still works.
file(RELATIVE_PATH particle_pc_to_prefix
  "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" particle_pc_to_prefix "${particle_pc_to_prefix}")
configure_file(particle.pc.in particle.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/particle.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
