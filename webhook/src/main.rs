//! The admission server's process.

use clap::Parser;
use clusterbackup_webhook::run::Args;

/// Half of a review is allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    clusterbackup_kit::crypto::install();
    let args = Args::parse();
    args.log().init()?;
    Ok(args.run().await?)
}
