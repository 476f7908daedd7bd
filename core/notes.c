#include "core/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

void rf_notes_init(rf_notes *notes)
{
    *notes = (rf_notes){0};
}

void rf_notes_free(rf_notes *notes)
{
    if (!notes)
        return;
    for (int i = 0; i < notes->n; i++)
        rf_free(notes->texts[i]);
    rf_free(notes->texts);
    rf_notes_init(notes);
}

static bool is_known(const rf_notes *notes, const char *text)
{
    for (int i = 0; i < notes->n; i++)
        if (strcmp(notes->texts[i], text) == 0)
            return true;
    return false;
}

static bool make_room(rf_notes *notes)
{
    void *texts = notes->texts;
    size_t capacity = (size_t)notes->capacity;
    if (rf_grow_array(&texts, &capacity, (size_t)notes->n + 1, sizeof *notes->texts, "a note", NULL) != RF_OK)
        return false;
    notes->texts = texts;
    notes->capacity = (int)capacity;
    return true;
}

void rf_note(rf_notes *notes, const char *format, ...)
{
    if (!notes)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : rf_malloc((size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    if (text && !is_known(notes, text) && make_room(notes))
        notes->texts[notes->n++] = text;
    else
        rf_free(text);
}
