#ifndef HELLO_H
#define HELLO_H

#include <stddef.h>
#include <stdio.h>

/* Greets one name; an empty one is the world. */
int greet(FILE *out, const char *name);

/* Reads one line without its newline into a buffer that the caller frees: 1 on a line, 0 at the
   end, -1 without memory. */
int read_line(FILE *in, char **line, size_t *size);

#endif
