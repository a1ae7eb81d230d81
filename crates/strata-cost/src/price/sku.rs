//! One name for a GPU whatever its driver, exporter or price list calls it.

/// Words that carry no meaning in a GPU's name.
const NOISE: [&str; 9] =
    ["nvidia", "amd", "instinct", "tesla", "hbm2", "hbm2e", "hbm3", "hbm3e", "gpu"];

/// Chips whose boards differ in price by how they are connected.
const BOARDS: [&str; 6] = ["A100", "H100", "H200", "H800", "A800", "B200"];

/// The normalised name: `NVIDIA H100 80GB HBM3` is `H100 SXM`, `NVIDIA A100-SXM4-40GB` is
/// `A100 SXM 40GB`. A name that is not understood is kept, in capitals and without noise words.
pub fn sku(name: &str) -> String {
    let upper = name.to_uppercase().replace(['-', '_', '/'], " ");
    let words: Vec<&str> = upper
        .split_whitespace()
        .filter(|word| !NOISE.contains(&word.to_lowercase().as_str()))
        .collect();
    let Some(chip) = BOARDS.iter().find(|chip| words.contains(*chip)) else {
        return plain(&words);
    };
    let board = words.iter().find_map(|word| board(word)).unwrap_or("SXM");
    // Only the A100 has two sizes of memory at two prices; 80 GB is the one sold today.
    let small = *chip == "A100" && words.contains(&"40GB");
    let memory = if small { " 40GB" } else { "" };
    match *chip {
        "H200" | "B200" if board == "SXM" => (*chip).to_owned(),
        _ => format!("{chip} {board}{memory}"),
    }
}

fn board(word: &str) -> Option<&'static str> {
    match word {
        "PCIE" => Some("PCIE"),
        "NVL" => Some("NVL"),
        word if word.starts_with("SXM") => Some("SXM"),
        _ => None,
    }
}

/// Names with one board: what remains but for the size of memory and the form of the module.
fn plain(words: &[&str]) -> String {
    let kept = words.iter().filter(|word| {
        let size = word.strip_suffix("GB").is_some_and(|size| size.parse::<u32>().is_ok());
        !size && **word != "OAM"
    });
    kept.copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_and_a_price_list_meet() {
        let check = |name: &str, expected: &str| assert_eq!(sku(name), expected, "{name}");
        check("NVIDIA H100 80GB HBM3", "H100 SXM");
        check("H100 SXM", "H100 SXM");
        check("NVIDIA H100 PCIe", "H100 PCIE");
        check("NVIDIA H100 NVL", "H100 NVL");
        check("NVIDIA A100-SXM4-80GB", "A100 SXM");
        check("NVIDIA A100-SXM4-40GB", "A100 SXM 40GB");
        check("NVIDIA A100 80GB PCIe", "A100 PCIE");
        check("NVIDIA H200", "H200");
        check("NVIDIA B200", "B200");
        check("NVIDIA GB200", "GB200");
        check("NVIDIA L40S", "L40S");
        check("AMD Instinct MI300X OAM", "MI300X");
        check("Tesla T4", "T4");
        check("Quadro_RTX_4000", "QUADRO RTX 4000");
    }

    #[test]
    fn a_normalised_name_is_its_own() {
        for name in ["H100 SXM", "A100 SXM 40GB", "H200", "MI300X", "L40S", "H100 PCIE"] {
            assert_eq!(sku(name), name);
        }
    }
}
