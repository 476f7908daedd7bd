# The CUDA side: which sources it has, what they are compiled with, and librowforge_cuda.so where nvcc is found.
#
# RF_CUDA_SOURCES  below kernels/, for the plugin and for the emulation (tests/cuda)
# rf_cuda_core     the few files of core that the plugin holds itself, position-independent
# rf_cxx_flags     warnings and the rules of arithmetic, for C++
set(RF_CUDA_SOURCES
  cuda/cuda_activate.cu cuda/cuda_affine.cu cuda/cuda_coded.cu cuda/cuda_critic.cu cuda/cuda_decode.cu cuda/cuda_device.cu
  cuda/cuda_draw.cu cuda/cuda_fused.cu cuda/cuda_latent.cu cuda/cuda_norm.cu cuda/cuda_ops.cu cuda/cuda_record.cu
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
    $<$<COMPILE_LANGUAGE:CXX>:-O1 -UNDEBUG -fsanitize=${RF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all>)
  target_link_options(rf_cxx_flags INTERFACE -fsanitize=${RF_SANITIZE})
endif()

add_library(rf_cuda_core STATIC "${CMAKE_SOURCE_DIR}/core/alloc.c" "${CMAKE_SOURCE_DIR}/core/error.c")
target_include_directories(rf_cuda_core PUBLIC "${CMAKE_BINARY_DIR}/include/core")
target_link_libraries(rf_cuda_core PRIVATE rf_flags)
set_target_properties(rf_cuda_core PROPERTIES POSITION_INDEPENDENT_CODE ON)
