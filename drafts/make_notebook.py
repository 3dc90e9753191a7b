"""Build a notebook: cells separated by lines '%% kind id [hidden]'."""
import sys, nbformat as nf, re
src,out=sys.argv[1:3]
cells=[]
for block in re.split(r'(?m)^%% ', open(src).read())[1:]:
    head,body=block.split('\n',1); kind,id_,*flags=head.split(); body=body.strip('\n')
    c=(nf.v4.new_markdown_cell if kind=='md' else nf.v4.new_code_cell)(body, id=id_)
    if 'hidden' in flags: c.metadata={'jupyter':{'source_hidden':True}}
    cells.append(c)
nb=nf.v4.new_notebook(cells=cells,metadata={'kernelspec':{'display_name':'Python 3','language':'python','name':'python3'},'language_info':{'name':'python'}})
nf.write(nb,out)
print(sum(c.cell_type=='code' for c in cells),'code cells;', sum(len(c.source.split()) for c in cells if c.cell_type=='markdown'),'words')
