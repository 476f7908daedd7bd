#include "db/statements.h"

const char *const rfi_statement_names[RFI_STATEMENT_COUNT] = {
#define NAME(name, text) #name,
    RFI_STATEMENT_TABLE(NAME)
#undef NAME
};

const char *const rfi_statement_texts[RFI_STATEMENT_COUNT] = {
#define TEXT(name, text) text,
    RFI_STATEMENT_TABLE(TEXT)
#undef TEXT
};
