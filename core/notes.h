/* notes.h - warnings on their way to a person.
 *
 * Not an error: the work goes on. Whoever notices something worth saying adds one sentence; whoever
 * talks to people prints the list. Equal sentences are kept once. Threads: one at a time.
 */
#ifndef RF_CORE_NOTES_H
#define RF_CORE_NOTES_H

#include "core/error.h"

typedef struct rf_notes {
    char **texts;
    int n, capacity;
} rf_notes;

void rf_notes_init(rf_notes *notes);
void rf_notes_free(rf_notes *notes);
/* `notes` may be NULL. A sentence that finds no memory is dropped: it was only a warning. */
void rf_note(rf_notes *notes, const char *format, ...) RF_PRINTF(2, 3);

#endif
