# The C libraries that libparticle links, as Particle::libmnl, Particle::libnl and Particle::sqlite3.
#
# This file serves twice: the build includes it, and it is installed beside ParticleConfig.cmake so
# that a consumer of the static library finds the same targets under the same names.

include(CMakeFindDependencyMacro)
if(NOT COMMAND pkg_check_modules)
  find_package(PkgConfig REQUIRED)
endif()

# The static archive of library `name` (as in -lname) among `dirs`, or the empty string.
function(particle_find_static_archive result name)
  find_library(PARTICLE_ARCHIVE_${name} NAMES "lib${name}.a" HINTS ${ARGN})
  mark_as_advanced(PARTICLE_ARCHIVE_${name})
  if(PARTICLE_ARCHIVE_${name})
    set(${result} "${PARTICLE_ARCHIVE_${name}}" PARENT_SCOPE)
  else()
    set(${result} "" PARENT_SCOPE)
  endif()
endfunction()

# particle_dependency(<name> <pkg-config module>): defines the imported target Particle::<name>.
# With PARTICLE_STATIC_PROGRAMS every library that exists as an archive is linked from it, which
# takes its shared object (and the time the loader spends on it) out of every program.
function(particle_dependency name module)
  if(TARGET Particle::${name})
    return()
  endif()
  pkg_check_modules(PARTICLE_PC_${name} REQUIRED QUIET IMPORTED_TARGET GLOBAL ${module})
  add_library(Particle::${name} INTERFACE IMPORTED GLOBAL)

  set(archives "")
  if(PARTICLE_STATIC_PROGRAMS AND NOT BUILD_SHARED_LIBS)
    foreach(library IN LISTS PARTICLE_PC_${name}_LIBRARIES)
      particle_find_static_archive(archive ${library} ${PARTICLE_PC_${name}_LIBRARY_DIRS})
      if(NOT archive)
        set(archives "")
        break()
      endif()
      list(APPEND archives "${archive}")
    endforeach()
  endif()

  if(NOT archives)
    target_link_libraries(Particle::${name} INTERFACE PkgConfig::PARTICLE_PC_${name})
    return()
  endif()
  # What the archives need themselves, from archives too but for the C library's own parts;
  # -Wl,--as-needed drops what turns out not to be used.
  set(extras "")
  foreach(library IN LISTS PARTICLE_PC_${name}_STATIC_LIBRARIES)
    if(library IN_LIST PARTICLE_PC_${name}_LIBRARIES)
      continue()
    endif()
    set(archive "")
    if(NOT library MATCHES "^(c|m|dl|rt|pthread)$")
      particle_find_static_archive(archive ${library} ${PARTICLE_PC_${name}_LIBRARY_DIRS})
    endif()
    if(archive)
      list(APPEND extras "${archive}")
      continue()
    endif()
    find_library(PARTICLE_EXTRA_${library} NAMES ${library})
    mark_as_advanced(PARTICLE_EXTRA_${library})
    if(PARTICLE_EXTRA_${library})
      list(APPEND extras "${PARTICLE_EXTRA_${library}}")
    endif()
  endforeach()
  target_link_libraries(Particle::${name} INTERFACE ${archives} ${extras})
  target_include_directories(Particle::${name} SYSTEM INTERFACE ${PARTICLE_PC_${name}_INCLUDE_DIRS})
endfunction()

particle_dependency(libmnl libmnl)
particle_dependency(libnl libnl-route-3.0)
particle_dependency(sqlite3 sqlite3)

find_dependency(Threads)
find_dependency(tl-expected)
