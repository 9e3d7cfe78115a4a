# SPDX-License-Identifier: MIT
# What the tests and the benchmarks need; the library itself needs nothing. The system's package is
# taken first, the pinned archive only where there is none.
include(FetchContent)

FetchContent_Declare(googletest
  URL https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
  URL_HASH SHA256=8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7
  DOWNLOAD_EXTRACT_TIMESTAMP ON
  FIND_PACKAGE_ARGS 1.12 NAMES GTest)

FetchContent_Declare(benchmark
  URL https://github.com/google/benchmark/archive/refs/tags/v1.8.3.tar.gz
  URL_HASH SHA256=6bc180a57d23d4d9515519f92b0c83d61b05b5bab188961f36ac7b06b0d9e9ce
  DOWNLOAD_EXTRACT_TIMESTAMP ON
  FIND_PACKAGE_ARGS 1.7)

# Builds a downloaded dependency without our warnings, which are errors in the presets.
function(batchwright_silence)
  foreach(target IN LISTS ARGN)
    get_target_property(actual ${target} ALIASED_TARGET)
    if(actual)
      set(target ${actual})
    endif()
    get_target_property(imported ${target} IMPORTED)
    if(NOT imported)
      target_compile_options(${target} PRIVATE -w)
      get_target_property(includes ${target} INTERFACE_INCLUDE_DIRECTORIES)
      set_target_properties(${target} PROPERTIES
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${includes}"
        EXPORT_COMPILE_COMMANDS OFF)
    endif()
  endforeach()
endfunction()

# Defines GTest::gtest_main.
macro(batchwright_need_googletest)
  set(INSTALL_GTEST OFF)
  set(BUILD_GMOCK OFF)
  FetchContent_MakeAvailable(googletest)
  batchwright_silence(GTest::gtest GTest::gtest_main)
endmacro()

# Defines benchmark::benchmark_main.
macro(batchwright_need_benchmark)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_WERROR OFF)
  FetchContent_MakeAvailable(benchmark)
  batchwright_silence(benchmark::benchmark benchmark::benchmark_main)
endmacro()
