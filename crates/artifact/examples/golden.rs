//! Writes the sample artifact of the golden tests to the path given.

#[path = "../tests/it/sample.rs"]
mod sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: golden PATH")?;
    let packed = kaizen_artifact::to_bytes(&sample::artifact(), Some(&sample::key()))?;
    std::fs::write(path, packed.bytes)?;
    Ok(())
}
