//! Tables as the tools around Dapr's CLI expect them: left-aligned, two spaces apart, without columns that are all blank.

/// Writes a table. A cell beyond the header is left out; line breaks in cells become spaces.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let mut kept: Vec<usize> =
        (0..header.len()).filter(|column| rows.iter().any(|row| !cell(row, *column).is_empty())).collect();
    if kept.is_empty() {
        kept = (0..header.len()).collect();
    }
    let titles: Vec<String> = header.iter().map(|title| title.replace('_', " ").to_uppercase()).collect();
    let lines = std::iter::once(&titles).chain(&rows);
    let lines: Vec<Vec<String>> = lines.map(|row| kept.iter().map(|column| cell(row, *column)).collect()).collect();
    let widths: Vec<usize> = (0..kept.len()).map(|column| widest(&lines, column)).collect();
    lines.iter().map(|line| padded(line, &widths)).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn widest(lines: &[Vec<String>], column: usize) -> usize {
    lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
}

fn padded(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
    format!("{}\n", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_columns_are_left_out() {
        let rows = [vec!["a".to_owned(), String::new(), "x\ny".to_owned()], vec!["bcd".to_owned()]];
        assert_eq!(table(&["id", "none", "run_path"], &rows), "ID   RUN PATH  \na    x y       \nbcd            \n");
        assert_eq!(table(&["id", "none"], &[]), "ID  NONE  \n");
    }
}
