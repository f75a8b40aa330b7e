//! The mappings of the running program, as `/proc/self/maps` lists them (proc_pid_maps(5)).

/// A range of addresses in bytes; the end is not part of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

struct Line<'a> {
    mapping: Mapping,
    permissions: &'a str,
    file: &'a str,
}

/// The code of the program, which holds `address`, and the constants that its file has before it. What comes after the code is left
/// alone: the loader wrote to it before it became read-only.
pub(crate) fn of_program(maps: &str, address: usize) -> Vec<Mapping> {
    let lines: Vec<Line> = maps.lines().filter_map(read).collect();
    let Some(code) = lines.iter().position(|line| line.mapping.start <= address && address < line.mapping.end) else {
        return Vec::new();
    };
    let file = lines[code].file;
    let untouched = |line: &Line| line.file == file && matches!(line.permissions, "r--p" | "r-xp");
    lines.into_iter().take(code + 1).filter(untouched).map(|line| line.mapping).collect()
}

/// `start-end permissions offset device inode file`; anonymous ranges have no file and are of no interest.
fn read(line: &str) -> Option<Line<'_>> {
    let mut fields = line.splitn(6, ' ').map(str::trim);
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let file = fields.nth(3)?.trim_start();
    let mapping = Mapping { start: usize::from_str_radix(start, 16).ok()?, end: usize::from_str_radix(end, 16).ok()? };
    (!file.is_empty()).then_some(Line { mapping, permissions, file })
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
7f0000000000-7f0000100000 r-xp 00000000 fe:01 43                         /usr/lib/libc.so.6
";

    #[test]
    fn the_program_is_its_code_and_the_constants_before_it() {
        let constants = Mapping { start: 0x5555_0000_0000, end: 0x5555_0010_0000 };
        let code = Mapping { start: 0x5555_0010_0000, end: 0x5555_0030_0000 };
        assert_eq!(of_program(MAPS, 0x5555_0020_0000), [constants, code]);
    }

    #[test]
    fn an_unknown_address_has_no_program() {
        assert_eq!(of_program(MAPS, 0x1000), []);
        assert_eq!(of_program("not a list\n\n", 0x1000), []);
    }
}
