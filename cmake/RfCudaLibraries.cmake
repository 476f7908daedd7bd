# Where cuBLASLt and cuDNN may be: the toolkit, the system, build/nvidia (script/bootstrap --cuda) and the site-packages/nvidia of the Python
# that is found. Only headers are needed here, and they may be missing: the plugin opens the libraries when it runs, by the same list
# of places, and says which construction is lost without them.
#
# RF_CUDA_LIBRARY_FLAGS  include folders, and RF_HAVE_CUBLASLT, RF_HAVE_CUDNN for what was found
get_filename_component(nvcc_real "${RF_NVCC}" REALPATH)
get_filename_component(toolkit "${nvcc_real}" DIRECTORY)
find_program(RF_PYTHON NAMES python3)
mark_as_advanced(RF_PYTHON)
set(site)
if(RF_PYTHON)
  execute_process(COMMAND "${RF_PYTHON}" -c "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    OUTPUT_VARIABLE site OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(GLOB nvidia_include
  "${CMAKE_SOURCE_DIR}/build/nvidia/nvidia/*/include" "${site}/nvidia/*/include" "${toolkit}/../include")

find_path(RF_CUBLASLT_INCLUDE cublasLt.h HINTS ${nvidia_include} /usr/local/cuda/include)
find_path(RF_CUDNN_INCLUDE cudnn_ops.h HINTS ${nvidia_include} /usr/include/x86_64-linux-gnu)
mark_as_advanced(RF_CUBLASLT_INCLUDE RF_CUDNN_INCLUDE)
set(RF_CUDA_LIBRARY_FLAGS)
if(RF_CUBLASLT_INCLUDE)
  list(APPEND RF_CUDA_LIBRARY_FLAGS -DRF_HAVE_CUBLASLT=1 "-DRF_CUBLASLT_FOLDER=\"${RF_CUBLASLT_INCLUDE}\"" "-isystem=${RF_CUBLASLT_INCLUDE}")
endif()
if(RF_CUDNN_INCLUDE)
  list(APPEND RF_CUDA_LIBRARY_FLAGS -DRF_HAVE_CUDNN=1 "-DRF_CUDNN_FOLDER=\"${RF_CUDNN_INCLUDE}\"" "-isystem=${RF_CUDNN_INCLUDE}")
endif()
if(RF_NVCC)
  foreach(name CUBLASLT CUDNN)
    if(RF_${name}_INCLUDE)
      message(STATUS "CUDA: ${name} from ${RF_${name}_INCLUDE}")
    else()
      message(STATUS "CUDA: no headers of ${name}: the constructions plain and graph are left out")
    endif()
  endforeach()
endif()
