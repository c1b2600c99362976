# Functions that give a target the project's settings.

# The warnings that our own code compiles under. They are errors where the preset sets
# CMAKE_COMPILE_WARNING_AS_ERROR.
function(particle_warnings target)
  set(common -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align
    -Wcast-qual -Wformat=2 -Wundef -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough)
  set(cxx -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wextra-semi)
  set(gnu -Wduplicated-cond -Wlogical-op)
  # g++ 12 sees null dereferences and uninitialised members inside std::string and std::vector when
  # it inlines them under a sanitizer; there the sanitizer is the better judge.
  if(PARTICLE_SANITIZE)
    list(REMOVE_ITEM common -Wnull-dereference)
    list(APPEND common $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endif()
  # At -O2 it sees overruns inside std::string, too, when one is moved or cut.
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    list(APPEND gnu -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
  endif()
  target_compile_options(${target} PRIVATE
    ${common}
    $<$<COMPILE_LANGUAGE:CXX>:${cxx}>
    $<$<CXX_COMPILER_ID:GNU>:${gnu}>)
endfunction()

# particle_program(<target> <sources>...): an executable with the project's settings.
function(particle_program target)
  add_executable(${target} ${ARGN})
  particle_warnings(${target})
  target_link_options(${target} PRIVATE -Wl,--as-needed)
  if(PARTICLE_STATIC_PROGRAMS AND NOT PARTICLE_SANITIZE)
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
  endif()
endfunction()

# particle_wholly_static(<target>): no shared library at all, not even the C library. For programs that
# are started for every container: the loader costs a quarter of a millisecond each time. Without
# position independence, whose relocations would touch every page of constants. Only where
# PARTICLE_STATIC_PROGRAMS is on; the program must not look up users, hosts or plugins at run time.
function(particle_wholly_static target)
  if(NOT PARTICLE_STATIC_PROGRAMS OR PARTICLE_SANITIZE OR BUILD_SHARED_LIBS)
    return()
  endif()
  set_target_properties(${target} PROPERTIES PARTICLE_WHOLLY_STATIC ON)
  # --no-warnings: libnl and SQLite bring functions along, uncalled, that would look things up.
  target_link_options(${target} PRIVATE -static -Wl,-z,norelro -Wl,-z,noseparate-code -Wl,--no-warnings)
endfunction()

# particle_write_at_once(<target>): the linker writes a program piece by piece. Written again in one
# call, it is cached in pages of 2 MiB where the file system can (ext4 since Linux 6.16, xfs, btrfs), and
# its text takes a few mappings instead of sixty page faults: an eighth of a process of a millisecond.
function(particle_write_at_once target)
  get_target_property(static ${target} PARTICLE_WHOLLY_STATIC)
  if(NOT static)
    return()
  endif()
  set(copy "$<TARGET_FILE:${target}>.whole")
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND dd "if=$<TARGET_FILE:${target}>" "of=${copy}" bs=64M status=none
    COMMAND chmod 755 "${copy}"
    COMMAND mv "${copy}" "$<TARGET_FILE:${target}>"
    VERBATIM)
endfunction()

# Uses spdlog and the {fmt} beneath it header-only: Debian has libfmt only as a shared object, which
# would bring libstdc++.so back into every program. For programs; libparticle reports through values.
function(particle_use_spdlog target)
  find_package(fmt REQUIRED)
  find_package(spdlog REQUIRED)
  target_include_directories(${target} SYSTEM PRIVATE
    $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(${target} PRIVATE SPDLOG_FMT_EXTERNAL)
  target_link_libraries(${target} PRIVATE fmt::fmt-header-only Threads::Threads)
endfunction()
