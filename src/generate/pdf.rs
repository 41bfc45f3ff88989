//! Small PDFs that declare PDF/A-1b, or PDF/A-2b with their objects and table in streams as modern writers do: one page of drawn lines, no fonts, no compression,
//! a colour profile of their own, XMP metadata, a right cross-reference. They keep the rules of level B as they are known here; no PDF/A judge is run over
//! them, so they are said to *declare* the level.

use std::fmt::Write as _;

use super::random::Random;

/// The file. `octets` is how large it should be at least; beyond the shortest file the page gets more lines.
pub(super) fn render(random: &mut Random, octets: usize) -> Vec<u8> {
    let profile = profile();
    let metadata = METADATA.as_bytes();
    let fixed = profile.len() + metadata.len() + 900;
    let page = page(random, octets.saturating_sub(fixed));
    let mut file = File { octets: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: Vec::with_capacity(7) };
    file.object("<< /Type /Catalog /Pages 2 0 R /Metadata 5 0 R /OutputIntents [6 0 R] >>", None);
    file.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>", None);
    file.object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << >> /Contents 4 0 R >>", None);
    file.object(&format!("<< /Length {} >>", page.len()), Some(page.as_bytes()));
    file.object(&format!("<< /Type /Metadata /Subtype /XML /Length {} >>", metadata.len()), Some(metadata));
    file.object("<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1 primaries) /DestOutputProfile 7 0 R >>", None);
    file.object(&format!("<< /N 3 /Length {} >>", profile.len()), Some(&profile));
    file.finish(random)
}

/// A file that declares PDF/A-2b: version 1.7, catalogue, pages and output intent in an object stream, the cross-reference in a stream.
/// `octets` is how large it should be at least.
#[must_use]
pub fn packed(seed: u64, octets: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let profile = profile();
    let metadata = METADATA.replacen("part>1<", "part>2<", 1);
    let page = page(&mut random, octets.saturating_sub(profile.len() + metadata.len() + 900));
    let inside = [
        "<< /Type /Catalog /Pages 3 0 R /Metadata 7 0 R /OutputIntents [5 0 R] >>",
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 3 0 R /MediaBox [0 0 595 842] /Resources << >> /Contents 6 0 R >>",
        "<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1 primaries) /DestOutputProfile 8 0 R >>",
    ];
    let (mut head, mut objects) = (String::new(), String::new());
    for (number, object) in (2..).zip(inside) {
        let _ = write!(head, "{number} {} ", objects.len());
        objects.push_str(object);
        objects.push('\n');
    }
    let stream = format!("{head}\n{objects}");
    let mut file = File { octets: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: Vec::with_capacity(5) };
    let dictionary = format!("<< /Type /ObjStm /N {} /First {} /Length {} >>", inside.len(), head.len() + 1, stream.len());
    file.numbered(1, &dictionary, Some(stream.as_bytes()));
    file.numbered(6, &format!("<< /Length {} >>", page.len()), Some(page.as_bytes()));
    file.numbered(7, &format!("<< /Type /Metadata /Subtype /XML /Length {} >>", metadata.len()), Some(metadata.as_bytes()));
    file.numbered(8, &format!("<< /N 3 /Length {} >>", profile.len()), Some(&profile));
    file.finish_packed(&mut random)
}

struct File {
    octets: Vec<u8>,
    offsets: Vec<usize>,
}

impl File {
    fn object(&mut self, dictionary: &str, stream: Option<&[u8]>) {
        self.numbered(self.offsets.len() + 1, dictionary, stream);
    }

    fn numbered(&mut self, number: usize, dictionary: &str, stream: Option<&[u8]>) {
        self.offsets.push(self.octets.len());
        self.octets.extend_from_slice(format!("{number} 0 obj\n{dictionary}\n").as_bytes());
        if let Some(stream) = stream {
            self.octets.extend_from_slice(b"stream\n");
            self.octets.extend_from_slice(stream);
            self.octets.extend_from_slice(b"\nendstream\n");
        }
        self.octets.extend_from_slice(b"endobj\n");
    }

    /// The cross-reference of [`packed`]: rows of kind, place and index; its own row is the last.
    fn finish_packed(mut self, random: &mut Random) -> Vec<u8> {
        let start = self.octets.len();
        let at = |n: usize| self.offsets.get(n).copied().unwrap_or(0);
        let inside = |index: u8| (2, 1, index);
        let rows = [(0, 0, 255), (1, at(0), 0), inside(0), inside(1), inside(2), inside(3), (1, at(1), 0), (1, at(2), 0), (1, at(3), 0), (1, start, 0)];
        let mut table = Vec::with_capacity(rows.len() * 6);
        for (kind, place, index) in rows {
            table.push(kind);
            table.extend_from_slice(&u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes());
            table.push(index);
        }
        let id = format!("{:016X}{:016X}", random.next(), random.next());
        let dictionary = format!("<< /Type /XRef /Size {} /W [1 4 1] /Root 2 0 R /ID [<{id}> <{id}>] /Length {} >>", rows.len(), table.len());
        self.numbered(9, &dictionary, Some(&table));
        self.octets.extend_from_slice(format!("startxref\n{start}\n%%EOF\n").as_bytes());
        self.octets
    }

    fn finish(mut self, random: &mut Random) -> Vec<u8> {
        let start = self.octets.len();
        let count = self.offsets.len() + 1;
        let mut tail = format!("xref\n0 {count}\n0000000000 65535 f \n");
        for offset in &self.offsets {
            let _ = writeln!(tail, "{offset:010} 00000 n ");
        }
        let id = format!("{:016X}{:016X}", random.next(), random.next());
        let _ = write!(tail, "trailer\n<< /Size {count} /Root 1 0 R /ID [<{id}> <{id}>] >>\nstartxref\n{start}\n%%EOF\n");
        self.octets.extend_from_slice(tail.as_bytes());
        self.octets
    }
}

/// Grey bars where lines of text would be, under a heading's darker bar.
fn page(random: &mut Random, octets: usize) -> String {
    let mut out = String::with_capacity(octets + 100);
    out.push_str("0.2 0.2 0.4 rg\n60 770 320 18 re f\n0.6 0.6 0.6 rg\n");
    let mut row = 0_u64;
    while row < 12 || out.len() < octets {
        let width = 200 + random.below(270);
        let _ = writeln!(out, "60 {} {width} 6 re f", 740 - row % 52 * 13);
        row += 1;
    }
    out
}

const METADATA: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
  <rdf:Description rdf:about=\"\" xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\">\n\
   <pdfaid:part>1</pdfaid:part>\n\
   <pdfaid:conformance>B</pdfaid:conformance>\n\
  </rdf:Description>\n\
 </rdf:RDF>\n\
</x:xmpmeta>\n\
<?xpacket end=\"w\"?>";

/// An ICC profile, version 2.1, of a display with sRGB's primaries (adapted to D50) and a plain gamma of 2.2.
fn profile() -> Vec<u8> {
    let xyz = |x: u32, y: u32, z: u32| [b"XYZ \0\0\0\0".to_vec(), x.to_be_bytes().to_vec(), y.to_be_bytes().to_vec(), z.to_be_bytes().to_vec()].concat();
    let name = b"sRGB primaries, gamma 2.2\0";
    // textDescriptionType: the ASCII name, then empty Unicode and ScriptCode names.
    let mut description = b"desc\0\0\0\0".to_vec();
    description.extend_from_slice(&u32::try_from(name.len()).unwrap_or(0).to_be_bytes());
    description.extend_from_slice(name);
    description.extend_from_slice(&[0; 78]);
    let copyright = b"text\0\0\0\0No copyright\0".to_vec();
    // curveType with one entry: u8Fixed8 2.19921875.
    let curve = b"curv\0\0\0\0\0\0\0\x01\x02\x33".to_vec();
    // s15Fixed16 numbers.
    let tags: [(&[u8; 4], Vec<u8>); 9] = [
        (b"desc", description),
        (b"cprt", copyright),
        (b"wtpt", xyz(0xf6d6, 0x1_0000, 0xd32d)),
        (b"rXYZ", xyz(0x6fa2, 0x38f5, 0x0390)),
        (b"gXYZ", xyz(0x6299, 0xb785, 0x18da)),
        (b"bXYZ", xyz(0x24a0, 0x0f84, 0xb6cf)),
        (b"rTRC", curve.clone()),
        (b"gTRC", curve.clone()),
        (b"bTRC", curve),
    ];
    let mut table = u32::try_from(tags.len()).unwrap_or(0).to_be_bytes().to_vec();
    let mut data = Vec::new();
    let base = 128 + 4 + 12 * tags.len();
    for (signature, content) in &tags {
        table.extend_from_slice(*signature);
        table.extend_from_slice(&u32::try_from(base + data.len()).unwrap_or(0).to_be_bytes());
        table.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
        data.extend_from_slice(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut header = vec![0_u8; 128];
    let mut put = |at: usize, octets: &[u8]| header.splice(at..at + octets.len(), octets.iter().copied()).for_each(drop);
    put(0, &u32::try_from(base + data.len()).unwrap_or(0).to_be_bytes());
    put(8, &[2, 0x10, 0, 0]);
    put(12, b"mntrRGB XYZ ");
    put(24, &[0x07, 0xea, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    put(36, b"acsp");
    put(68, &[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    [header, table, data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_points_at_its_object() {
        for octets in [0, 20_000] {
            let file = render(&mut Random::new(3), octets);
            assert!(file.len() >= octets && file.len() < octets + 3500, "{}", file.len());
            let text = String::from_utf8_lossy(&file).into_owned();
            let find = |needle: &str| file.windows(needle.len()).rposition(|w| w == needle.as_bytes());
            let start: usize = text.rsplit("startxref\n").next().and_then(|t| t.lines().next()).and_then(|n| n.parse().ok()).unwrap_or(0);
            assert_eq!(find("xref\n0 8"), Some(start));
            let table = String::from_utf8_lossy(file.get(start..).unwrap_or(&[])).into_owned();
            for (n, line) in table.lines().skip(3).take(7).enumerate() {
                let offset: usize = line.get(..10).and_then(|o| o.parse().ok()).unwrap_or(0);
                let wanted = format!("{} 0 obj", n + 1);
                assert!(file.get(offset..).is_some_and(|rest| rest.starts_with(wanted.as_bytes())), "object {}", n + 1);
            }
            assert!(text.contains("<pdfaid:part>1</pdfaid:part>"));
        }
    }

    #[test]
    fn the_profile_says_its_own_length() {
        let profile = profile();
        let said = profile.get(..4).and_then(|l| l.try_into().ok()).map(u32::from_be_bytes);
        assert_eq!(said.map(|n| n as usize), Some(profile.len()));
        assert_eq!(profile.get(36..40), Some(b"acsp".as_slice()));
    }
}
