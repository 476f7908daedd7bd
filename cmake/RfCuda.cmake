# The CUDA side: which sources it has, what they are compiled with, and librowforge_cuda.so where nvcc is found.
#
# RF_CUDA_SOURCES  below kernels/, for the plugin and for the emulation (tests/cuda)
# rf_cuda_core     the few files of core that the plugin holds itself, position-independent
# rf_cxx_flags     warnings and the rules of arithmetic, for C++
set(RF_CUDA_SOURCES
  cuda/cuda_activate.cu cuda/cuda_affine.cu cuda/cuda_coded.cu cuda/cuda_critic.cu cuda/cuda_critic_fused.cu cuda/cuda_decode.cu cuda/cuda_device.cu
  cuda/cuda_draw.cu cuda/cuda_fused.cu cuda/cuda_generator_back.cu cuda/cuda_generator_fused.cu cuda/cuda_latent.cu cuda/cuda_latent_fused.cu
  cuda/cuda_learn.cu cuda/cuda_norm.cu cuda/cuda_ops.cu cuda/cuda_penalty_fused.cu cuda/cuda_reconstruct_fused.cu cuda/cuda_record.cu
  cuda/cuda_rows.cu cuda/cuda_update.cu)

include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(CMAKE_CXX_STANDARD 20)
  set(CMAKE_CXX_STANDARD_REQUIRED ON)
endif()

add_library(rf_cxx_flags INTERFACE)
target_compile_options(rf_cxx_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wwrite-strings -Wvla -Wundef
  -ffp-contract=off -fno-math-errno -fno-exceptions -fno-rtti -fvisibility=hidden>)
target_compile_definitions(rf_cxx_flags INTERFACE _GNU_SOURCE)
if(RF_SANITIZE)
  target_compile_options(rf_cxx_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-O1 -g1 -UNDEBUG -fsanitize=${RF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all>)
  target_link_options(rf_cxx_flags INTERFACE -fsanitize=${RF_SANITIZE})
endif()

add_library(rf_cuda_core STATIC "${CMAKE_SOURCE_DIR}/core/alloc.c" "${CMAKE_SOURCE_DIR}/core/error.c")
target_include_directories(rf_cuda_core PUBLIC "${CMAKE_BINARY_DIR}/include/core")
target_link_libraries(rf_cuda_core PRIVATE rf_flags)
set_target_properties(rf_cuda_core PROPERTIES POSITION_INDEPENDENT_CODE ON)

# ---- librowforge_cuda.so: nvcc is called by name, so that no version of CMake has to know it ------------------------------
find_program(RF_NVCC nvcc HINTS "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
mark_as_advanced(RF_NVCC)
if(RF_CUDA STREQUAL "ON" AND NOT RF_NVCC)
  message(FATAL_ERROR "RF_CUDA is ON, and nvcc was not found")
endif()
include(RfCudaLibraries)

# rf_cuda_plugin(): called where the sources are (kernels/).
function(rf_cuda_plugin)
  if(RF_CUDA STREQUAL "OFF" OR NOT RF_NVCC OR RF_SANITIZE)
    set(RF_CUDA_FOUND "no" PARENT_SCOPE)
    return()
  endif()
  # One PTX for all: no source asks for an architecture, so that those of 8.0 and 9.0 would differ in the name of their target alone.
  set(flags -std=c++20 -O3 -t 2 -fmad=false -DRF_CUDA_BUILD=1 -D_GNU_SOURCE -Werror all-warnings
    -gencode "arch=compute_80,code=[sm_80,sm_90,compute_80]"
    -Xcompiler=-fPIC,-Wall,-Wextra,-Wno-unused-parameter,-Wno-missing-field-initializers,-Werror,-fvisibility=hidden,-fno-exceptions
    "-I${CMAKE_BINARY_DIR}/include/kernels" "-I${CMAKE_BINARY_DIR}/include/core" ${RF_CUDA_LIBRARY_FLAGS})
  if(CMAKE_C_COMPILER_LAUNCHER)
    set(launcher ${CMAKE_C_COMPILER_LAUNCHER})
  endif()
  set(objects)
  foreach(source ${RF_CUDA_SOURCES} cuda/cuda_blas.cu cuda/cuda_dnn.cu)
    get_filename_component(name "${source}" NAME_WE)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.o")
    add_custom_command(OUTPUT "${object}"
      COMMAND ${launcher} "${RF_NVCC}" ${flags} -MD -MF "${object}.d" -MT "${object}" -c
        "${CMAKE_CURRENT_SOURCE_DIR}/${source}" -o "${object}"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${source}" DEPFILE "${object}.d"
      COMMENT "Building CUDA object ${name}.o" VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  set(plugin "${CMAKE_BINARY_DIR}/librowforge_cuda.so")
  add_custom_command(OUTPUT "${plugin}"
    COMMAND "${RF_NVCC}" -shared -cudart static -Xlinker=--exclude-libs,ALL -o "${plugin}" ${objects}
      "$<TARGET_FILE:rf_cuda_core>" -ldl
    DEPENDS ${objects} rf_cuda_core COMMENT "Linking librowforge_cuda.so" VERBATIM)
  add_custom_target(rowforge_cuda ALL DEPENDS "${plugin}")
  install(FILES "${plugin}" DESTINATION lib)
  set(RF_CUDA_FOUND "${RF_NVCC}" PARENT_SCOPE)
endfunction()
