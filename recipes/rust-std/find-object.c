/* What libgcc's unwinder asks glibc 2.35 and later for, over what musl has. The layout is glibc's <dlfcn.h>. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end;
  void *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct dl_find_object *result;
};

static int visit(struct dl_phdr_info *object, size_t size, void *data) {
  struct search *search = data;
  const ElfW(Phdr) *eh_frame = NULL;
  uintptr_t start = UINTPTR_MAX, end = 0;
  int holds = 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &object->dlpi_phdr[i];
    uintptr_t from = object->dlpi_addr + header->p_vaddr, to = from + header->p_memsz;
    if (header->p_type == PT_GNU_EH_FRAME) eh_frame = header;
    if (header->p_type != PT_LOAD) continue;
    if (from < start) start = from;
    if (to > end) end = to;
    if (search->address >= from && search->address < to) holds = 1;
  }
  if (!holds || eh_frame == NULL) return 0;
  *search->result = (struct dl_find_object){
    .map_start = (void *)start,
    .map_end = (void *)end,
    .eh_frame = (void *)(object->dlpi_addr + eh_frame->p_vaddr),
  };
  return 1;
}

int _dl_find_object(void *address, struct dl_find_object *result) {
  struct search search = { (uintptr_t)address, result };
  return dl_iterate_phdr(visit, &search) == 1 ? 0 : -1;
}
