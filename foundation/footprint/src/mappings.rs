//! The mappings of the running program and its libraries, as `/proc/self/maps` lists them (proc_pid_maps(5)).

const CONSTANTS: &str = "r--p";
const CODE: &str = "r-xp";

/// A range of addresses in bytes; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

struct Line<'a> {
    mapping: Mapping,
    permissions: &'a str,
    file: &'a str,
}

/// The code of the program and of its libraries, and the constants that their files have before it. What comes after the code is left
/// alone: the loader wrote to it before it became read-only.
pub(crate) fn of_code(maps: &str) -> Vec<Mapping> {
    let lines: Vec<Line> = maps.lines().filter_map(read).collect();
    let code = |file: &str| lines.iter().rposition(|line| line.file == file && line.permissions == CODE);
    let unwritten = |(at, line): &(usize, &Line)| {
        matches!(line.permissions, CONSTANTS | CODE) && code(line.file).is_some_and(|code| *at <= code)
    };
    lines.iter().enumerate().filter(unwritten).map(|(_, line)| line.mapping).collect()
}

/// `start-end permissions offset device inode file`; ranges without a file, or with what the kernel made, are of no interest.
fn read(line: &str) -> Option<Line<'_>> {
    let mut fields = line.splitn(6, ' ').map(str::trim);
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let file = fields.nth(3)?.trim_start();
    let mapping = Mapping { start: usize::from_str_radix(start, 16).ok()?, end: usize::from_str_radix(end, 16).ok()? };
    file.starts_with('/').then_some(Line { mapping, permissions, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
555500000000-555500100000 r--p 00000000 fe:01 42                         /usr/bin/trilby
555500100000-555500300000 r-xp 00100000 fe:01 42                         /usr/bin/trilby
555500300000-555500310000 r--p 00300000 fe:01 42                         /usr/bin/trilby
555500310000-555500311000 rw-p 00310000 fe:01 42                         /usr/bin/trilby
555500400000-555500500000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000010000 r--p 00000000 fe:01 43                         /usr/lib/libc.so.6
7f0000010000-7f0000100000 r-xp 00010000 fe:01 43                         /usr/lib/libc.so.6
7f0000100000-7f0000110000 r--p 00100000 fe:01 43                         /usr/lib/libc.so.6
7f0000110000-7f0000111000 rw-p 00110000 fe:01 43                         /usr/lib/libc.so.6
7f0000200000-7f0000300000 r--p 00000000 fe:01 44                         /usr/share/zoneinfo/Europe/Berlin
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn code_and_the_constants_before_it_were_never_written() {
        let pages = |start, end| Mapping { start, end };
        let of_program = [pages(0x5555_0000_0000, 0x5555_0010_0000), pages(0x5555_0010_0000, 0x5555_0030_0000)];
        let of_library = [pages(0x7f00_0000_0000, 0x7f00_0001_0000), pages(0x7f00_0001_0000, 0x7f00_0010_0000)];
        assert_eq!(of_code(MAPS), [of_program, of_library].concat());
    }

    #[test]
    fn what_is_no_list_has_no_code() {
        assert_eq!(of_code("not a list\n\n"), []);
    }
}
