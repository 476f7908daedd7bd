# page.css and page.js as C arrays, with the SHA-256 of each in the form that a content security policy
# names it by:
#
#     cmake -DCSS=page.css -DJS=page.js -DOUT=page_assets.c -P page.cmake

# "sha256-" and the base64 of a digest that was given in hexadecimal.
function(policy_hash out hex)
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(text "sha256-")
  foreach(at RANGE 0 60 6) # 32 bytes: ten groups of three, then two
    string(SUBSTRING "${hex}00" ${at} 6 group)
    math(EXPR value "0x${group}")
    foreach(shift 18 12 6 0)
      math(EXPR digit "(${value} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${digit} 1 letter)
      string(APPEND text "${letter}")
    endforeach()
  endforeach()
  string(REGEX REPLACE ".$" "=" text "${text}")
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

function(embed out name path)
  file(READ "${path}" hex HEX)
  if(hex MATCHES "^(..)*[89a-f].")
    message(FATAL_ERROR "${path}: only ASCII, please: write other characters as escapes")
  endif()
  file(SHA256 "${path}" digest)
  policy_hash(hash "${digest}")
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  set(${out} "${${out}}\nconst char ${name}[] = {\n${bytes}0};\nconst char ${name}_hash[] = \"${hash}\";\n" PARENT_SCOPE)
endfunction()

set(code "/* made by page.cmake from page.css and page.js */\n#include \"engine/quality/html_page.h\"\n")
embed(code rfi_page_css "${CSS}")
embed(code rfi_page_js "${JS}")
file(WRITE "${OUT}" "${code}")
