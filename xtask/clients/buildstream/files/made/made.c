#include <stdio.h>

int main(void)
{
    puts("made inside");
    return 0;
}
