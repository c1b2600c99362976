# Settings that hold for every target: language level, output folders, ccache, sanitizers.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Type of build" FORCE)
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
endif()

find_program(PARTICLE_CCACHE ccache)
mark_as_advanced(PARTICLE_CCACHE)
if(PARTICLE_CCACHE)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${PARTICLE_CCACHE}")
    endif()
  endforeach()
endif()

set(particle_sanitize_flags "")
if(PARTICLE_SANITIZE)
  set(particle_sanitize_flags
    "-fsanitize=${PARTICLE_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_compile_options(${particle_sanitize_flags})
  add_link_options(${particle_sanitize_flags})
endif()
if(PARTICLE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "PARTICLE_FUZZ needs clang (use the preset `fuzz`)")
  endif()
  # Coverage for libFuzzer in every file; its main() only in the fuzz targets.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# particle_precompile(<target> <header>...): parses headers that most files of the target include once
# instead of once per file. Not in the development build, which proves that every file includes what
# it uses, and whose compile commands clang-tidy reads.
option(PARTICLE_PRECOMPILE "Precompile common headers" OFF)
function(particle_precompile target)
  if(PARTICLE_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE
      <algorithm> <array> <chrono> <functional> <memory> <optional> <span> <string> <variant> <vector>
      <tl/expected.hpp> ${ARGN})
    # ccache needs to be told that the precompiled header depends on nothing but its content.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endfunction()

# The presets that nobody edits under compile several files of a target as one (CMAKE_UNITY_BUILD), which
# takes a third of the time: most of it is reading headers. So names in anonymous namespaces differ within a
# target, but for those whose files are each for themselves:
# particle_files_apart(<target>...): each file is compiled alone.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)
if(CMAKE_UNITY_BUILD)
  # A class of which a file has the only definition may have members of types that are the file's own.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()
function(particle_files_apart)
  set_target_properties(${ARGN} PROPERTIES UNITY_BUILD OFF)
endfunction()
