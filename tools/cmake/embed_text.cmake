# A text file as a C string: cmake -DINPUT=file -DOUTPUT=file.c -DSYMBOL=name -P embed_text.cmake
file(READ ${INPUT} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${OUTPUT} "// Made from a text file by tools/cmake/embed_text.cmake.\nextern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = \"${text}\";\n")
